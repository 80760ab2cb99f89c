import { lstat, mkdir, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FsError, reasonOf } from '../../core/index.js';
import { bearsName } from './mount-server.js';
import { ACHERON_FS_TYPE, mountEntryAt, type MountEntry } from './mountinfo.js';
import { probeMount } from './probe-mount.js';
import { resolveMountDir } from './resolve-mount-dir.js';
import { detach } from './unmount.js';

/** What is at a directory that somebody wants to mount on. */
export type MountpointState =
  | { readonly state: 'free'; readonly dir: string }
  /** A mount of ours that answers. */
  | { readonly state: 'mounted'; readonly dir: string; readonly entry: MountEntry }
  /** A mount of ours whose server is gone ("Transport endpoint is not connected"). */
  | { readonly state: 'dead'; readonly dir: string; readonly entry: MountEntry }
  /** A mount of ours that is there, but did not answer in time. */
  | { readonly state: 'silent'; readonly dir: string; readonly entry: MountEntry }
  /** A mount of another local user, which is not asked anything: its server could answer what it likes. */
  | { readonly state: 'others'; readonly dir: string; readonly entry: MountEntry }
  | { readonly state: 'foreign'; readonly dir: string; readonly entry: MountEntry };

/** Says what is mounted on `dir`, without ever waiting long on a dead mount. */
export async function inspectMountpoint(dir: string, probeMs?: number): Promise<MountpointState> {
  const path = await resolveMountDir(dir);
  const entry = mountEntryAt(path);
  return entry === undefined ? { state: 'free', dir: path } : inspectMount(entry, probeMs);
}

/** The same of a mount that is known. The kernel's table alone says which mounts are others', wherever they lie. */
export async function inspectMount(
  entry: MountEntry,
  probeMs?: number,
): Promise<Exclude<MountpointState, { state: 'free' }>> {
  const path = entry.mountPoint;
  if (entry.fsType !== ACHERON_FS_TYPE) return { state: 'foreign', dir: path, entry };
  if (entry.ownerUid !== (process.getuid?.() ?? null)) return { state: 'others', dir: path, entry };
  const pulse = await probeMount(path, probeMs);
  return { state: pulse === 'answers' ? 'mounted' : pulse, dir: path, entry };
}

/**
 * Makes `dir` ready to be mounted on: clears a dead mount of ours, creates the directory where it is
 * missing. Answers `mounted` where a live mount of ours is there already; with `fsname`, only where it
 * bears that name. `made` are the directories that it created, the deepest first.
 * @throws FsError EBUSY where something else is mounted, or a mount of ours does not answer or is for
 *   somebody else; ENOTDIR; ENOTEMPTY; EACCES and the like from creating it.
 */
export async function prepareMountpoint(
  dir: string,
  { probeMs, fsname }: { readonly probeMs?: number; readonly fsname?: string } = {},
): Promise<MountpointState & { readonly state: 'free' | 'mounted'; readonly made: readonly string[] }> {
  for (;;) {
    const found = await inspectMountpoint(dir, probeMs);
    switch (found.state) {
      case 'free':
        return { ...found, made: await requireEmptyDirectory(found.dir) };
      case 'mounted':
        if (fsname === undefined || bearsName(found.entry, fsname)) return { ...found, made: [] };
        throw new FsError('EBUSY', `${found.dir} is mounted already, and not as it is asked for now.`, {
          path: found.dir,
          hint: `It was mounted by another command, or for another role, agent, project, token or state directory. Choose another directory, or take that mount away first: acheron unmount ${found.dir}`,
        });
      case 'others':
        throw new FsError(
          'EBUSY',
          `${found.dir} is mounted already, by another local user${found.entry.ownerUid === null ? '' : ` (uid ${found.entry.ownerUid})`}.`,
          {
            path: found.dir,
            hint: 'What is in it is what that user wants you to see. Choose another directory.',
          },
        );
      case 'dead':
        await detach(found.dir, 'lazily');
        break;
      case 'silent':
        throw new FsError('EBUSY', `The mount on ${found.dir} does not answer.`, {
          path: found.dir,
          hint: `Its server may be stopped or overloaded. To take it away: acheron unmount ${found.dir}`,
        });
      case 'foreign':
        throw new FsError('EBUSY', `${found.dir} is in use: ${found.entry.source} (${found.entry.fsType}).`, {
          path: found.dir,
          hint: 'Choose another directory, or unmount that one first.',
        });
    }
  }
}

/** Answers which directories it made. */
async function requireEmptyDirectory(dir: string): Promise<readonly string[]> {
  try {
    const made = await makeDirectories(dir);
    if (!(await lstat(dir)).isDirectory()) throw notADirectory(dir);
    if ((await readdir(dir)).length > 0) {
      throw new FsError('ENOTEMPTY', `${dir} is not empty.`, {
        path: dir,
        hint: 'Choose an empty directory, or one that does not exist yet: what is in it would be hidden.',
      });
    }
    return made;
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' || (code === 'ENOTDIR' && !FsError.is(thrown))) throw notADirectory(dir);
    if (FsError.is(thrown)) throw thrown;
    const error = FsError.from(thrown);
    throw new FsError(error.code, `${dir} cannot be used as a mount point: ${reasonOf(thrown)}.`, {
      path: dir,
      hint: 'Choose a directory that you may create or own.',
      cause: thrown,
    });
  }
}

/** As `makeDirs` does, without this thread: what is at the place may be a mount that hangs. */
async function makeDirectories(dir: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let path = dir; !(await exists(path)); path = dirname(path)) missing.push(path);
  for (const path of missing.toReversed()) await mkdir(path);
  return missing;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

const notADirectory = (dir: string): FsError =>
  new FsError('ENOTDIR', `${dir} is not a directory.`, {
    path: dir,
    hint: 'Choose a directory to mount on.',
  });
