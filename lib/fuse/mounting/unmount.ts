import { readFileSync } from 'node:fs';
import { FsError } from '../../core/index.js';
import { abortConnection } from './abort-connection.js';
import { ACHERON_FS_TYPE, findMount, mountEntryAt, type MountEntry } from './mountinfo.js';
import { probeMount } from './probe-mount.js';
import { resolveMountDir } from './resolve-mount-dir.js';
import { runTool } from './run-tool.js';

export type UnmountOutcome = 'unmounted' | 'lazily' | 'not-mounted';

/**
 * Takes the mount of ours off `dir`: plainly, or where it is in use, lazily (it is gone from the tree at
 * once, and ends when its last user does). Safe on a dead mount. Where the server does not answer, its users
 * are sent away: they would wait for ever.
 * @throws FsError EINVAL where something that is not ours is mounted there; EPERM where the system refuses.
 */
export async function unmountDir(dir: string): Promise<UnmountOutcome> {
  const path = await resolveMountDir(dir);
  const entry = mountEntryAt(path);
  if (entry === undefined) return 'not-mounted';
  if (entry.fsType !== ACHERON_FS_TYPE) {
    throw new FsError(
      'EINVAL',
      `What is mounted on ${path} is not Acheron's: ${entry.source} (${entry.fsType}).`,
      {
        path,
        hint: `To unmount it all the same: umount ${path}`,
      },
    );
  }
  if (await detach(path, 'plainly', entry)) return 'unmounted';
  if ((await probeMount(path)) === 'silent') await abortMount(entry);
  else await detach(path, 'lazily', entry);
  return 'lazily';
}

/**
 * Unmounts what was mounted on `path`, a path from the mount table, with whichever tool may, wherever it
 * has been moved meanwhile. Answers whether it is gone.
 * @throws FsError EPERM when a lazy unmount did not work either.
 */
export async function detach(
  path: string,
  way: 'plainly' | 'lazily',
  entry: MountEntry | undefined = mountEntryAt(path),
): Promise<boolean> {
  if (entry !== undefined) path = findMount(entry)?.mountPoint ?? path;
  const lazily = way === 'lazily';
  const tools: [string, string[]][] = [
    ['fusermount3', [lazily ? '-uz' : '-u', '--', path]],
    ['fusermount', [lazily ? '-uz' : '-u', '--', path]],
    ['umount', lazily ? ['-l', '--no-canonicalize', path] : ['--no-canonicalize', path]],
  ];
  const complaints: string[] = [];
  for (const [tool, args] of tools) {
    const done = await runTool(tool, args);
    if (entry === undefined || !isMounted(entry)) return true;
    if (!done.missing) complaints.push(done.stderr || `${tool} did not answer`);
    if (!lazily && /busy/i.test(done.stderr)) return false;
  }
  if (!lazily) return false;
  throw new FsError(
    'EPERM',
    `${path} could not be unmounted: ${complaints.join('; ') || 'no tool was found'}.`,
    {
      path,
      hint: 'Install fuse3 (fusermount3), or as root: umount -l DIR.',
    },
  );
}

/** Whether that very mount, not a later one on the same directory, is still in the table. */
export function isMounted(entry: MountEntry): boolean {
  return findMount(entry) !== undefined;
}

/**
 * Cuts a wedged mount off its server: every waiting request ends with an error, then the mount goes. For
 * root; the way out where a process hangs on a mount that nobody serves any more.
 */
export async function abortMount(entry: MountEntry): Promise<void> {
  abortConnection(entry);
  if (isMounted(entry)) await detach(entry.mountPoint, 'lazily', entry);
}

const POLL_MS = 250;

/**
 * Calls back once, when that mount has left the mount table. The kernel reports it through poll(2) on
 * mountinfo alone, which Node cannot ask for, so the table is read now and then. Does not keep the process
 * alive. Returns the way to stop.
 */
export function watchMount(entry: MountEntry, onGone: () => void): () => void {
  let last = '';
  const look = (): void => {
    const text = readFileSync('/proc/self/mountinfo', 'utf8');
    if (text === last) return;
    last = text;
    if (isMounted(entry)) return;
    clearInterval(timer);
    onGone();
  };
  const timer = setInterval(look, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
