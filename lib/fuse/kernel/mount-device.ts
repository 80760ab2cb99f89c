import { closeSync, constants, openSync } from 'node:fs';
import { runTool } from './run-tool.js';

/** Why a mount could not be made or undone. `code` is an errno name, for programs. */
export class MountError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MountError';
    this.code = code;
  }
}

export interface MountDeviceOptions {
  /** What mountinfo shows as the source. */
  readonly fsname: string;
  /** The filesystem's type is `fuse.` and this. */
  readonly subtype: string;
  /** Let other users in. */
  readonly allowOther?: boolean;
  /** Whatever would change something is EROFS. */
  readonly readOnly?: boolean;
  /** The device; tests have their own. */
  readonly device?: string;
}

/**
 * Mounts on `dir` and gives the descriptor to serve it by, close-on-exec. Root mounts itself; others
 * through the set-uid fusermount3.
 * @throws MountError ENODEV where there is no /dev/fuse, ENOENT where a program is missing, EPERM where
 *   mounting is refused, EINVAL for a name that mount options cannot carry.
 */
export async function mountDevice(dir: string, options: MountDeviceOptions): Promise<number> {
  for (const name of [options.fsname, options.subtype]) {
    if (!/^[\w.:@/+-]+$/.test(name))
      throw new MountError('EINVAL', `${JSON.stringify(name)} is no source name.`);
  }
  return process.getuid?.() === 0 ? await mountAsRoot(dir, options) : await mountAsUser(dir, options);
}

async function mountAsRoot(dir: string, options: MountDeviceOptions): Promise<number> {
  const fd = openDevice(options.device ?? '/dev/fuse');
  const list = ['fd=3,rootmode=40000,user_id=0,group_id=0,nosuid,nodev', ...chosen(options)].join(',');
  try {
    const args = ['-i', '-t', `fuse.${options.subtype}`, '-o', list, options.fsname, dir];
    // By the other way, mount(8) of util-linux 2.39 and later loses the subtype, by which mounts of ours are known.
    const env = { ...process.env, LIBMOUNT_FORCE_MOUNT2: 'always' };
    await run('mount', args, { descriptor: fd, env });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function chosen({ allowOther, readOnly }: MountDeviceOptions): string[] {
  return [...(allowOther === true ? ['allow_other'] : []), ...(readOnly === true ? ['ro'] : [])];
}

function openDevice(path: string): number {
  try {
    return openSync(path, constants.O_RDWR); // Node adds O_CLOEXEC
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'ENODEV';
    throw new MountError(code === 'ENOENT' ? 'ENODEV' : code, `${path} cannot be opened (${code}).`, {
      cause: error,
    });
  }
}

async function mountAsUser(dir: string, options: MountDeviceOptions): Promise<number> {
  const { receiveDescriptor, socketPair } = await import('./receive-descriptor.js');
  const [ours, theirs] = socketPair();
  const names = [`fsname=${options.fsname}`, `subtype=${options.subtype}`];
  const list = [...names, 'nosuid', 'nodev', ...chosen(options)];
  try {
    await run('fusermount3', ['-o', list.join(','), '--', dir], {
      descriptor: theirs,
      env: { ...process.env, _FUSE_COMMFD: '3' },
    });
    const fd = receiveDescriptor(ours);
    if (fd === undefined) throw new MountError('EIO', 'fusermount3 gave no descriptor.');
    return fd;
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

/**
 * Takes the mount off `dir`, lazily where it is in use. Idempotent.
 * @throws MountError when neither works and it is still mounted.
 */
export async function unmountDevice(dir: string): Promise<void> {
  const [program, plain, lazy] =
    process.getuid?.() === 0
      ? ['umount', ['-i', '--', dir], ['-i', '-l', '--', dir]]
      : ['fusermount3', ['-u', '--', dir], ['-u', '-z', '--', dir]];
  try {
    await run(program, plain);
  } catch {
    // It is in use: lazily, then. Where that fails too, its reason is thrown.
    await run(program, lazy);
  }
}

interface RunOptions {
  /** Inherited as descriptor 3. */
  readonly descriptor?: number;
  readonly env?: NodeJS.ProcessEnv;
}

async function run(
  program: string,
  args: readonly string[],
  { env = process.env, descriptor }: RunOptions = {},
): Promise<void> {
  const { status, stderr, failure } = await runTool(program, args, {
    env,
    ...(descriptor === undefined ? {} : { descriptor }),
  });
  if (failure !== null) throw new MountError(failure, `${program} cannot be run (${failure}).`);
  const said = stderr.slice(-2000);
  if (status !== 0) throw new MountError(codeOf(said), said || `${program} failed.`);
}

/** mount(8) and fusermount3 report errors in words. */
function codeOf(said: string): string {
  if (/permission denied|not permitted|only root|must be superuser|user_allow_other/i.test(said))
    return 'EPERM';
  if (/does not exist|no such file/i.test(said)) return 'ENOENT';
  if (/already mounted|busy/i.test(said)) return 'EBUSY';
  if (/unknown filesystem|device not found|no such device/i.test(said)) return 'ENODEV';
  return 'EIO';
}
