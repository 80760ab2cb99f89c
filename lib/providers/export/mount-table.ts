import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { O_PATH } from '../../linux/index.js';

/** What /proc/self/mountinfo (proc(5)) says of one mount. */
export interface HostMount {
  /** `major:minor` of the filesystem. */
  readonly device: string;
  /** The directory of that filesystem which is seen at `mountPoint`: not `/` for a bind mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fsType: string;
}

/** Filesystems that are the kernel's own face, or a service's: no tree of files to show to others. */
const KERNEL_TYPES = new Set([
  ...['proc', 'sysfs', 'devtmpfs', 'devpts', 'cgroup', 'cgroup2', 'debugfs', 'tracefs', 'securityfs'],
  ...['bpf', 'configfs', 'efivarfs', 'pstore', 'mqueue', 'fusectl', 'binfmt_misc', 'nsfs', 'selinuxfs'],
  ...['rpc_pipefs', 'nfsd', 'resctrl', 'fuse.acheron'],
]);

export function isKernelType(fsType: string): boolean {
  return KERNEL_TYPES.has(fsType);
}

/** All mounts that this process sees, by their number. */
export function readMounts(): Map<number, HostMount> {
  const mounts = new Map<number, HostMount>();
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    if (dash < 0) continue;
    const [id, , device, root, mountPoint] = fields;
    const fsType = fields[dash + 1];
    if (device === undefined || root === undefined || mountPoint === undefined || fsType === undefined)
      continue;
    mounts.set(Number(id), {
      device,
      root: unescaped(root),
      mountPoint: unescaped(mountPoint),
      fsType: unescaped(fsType),
    });
  }
  return mounts;
}

/** The number of the mount that `fd` lies on; 0 where the kernel does not say. */
export function mountIdOfFd(fd: number): number {
  return Number(/^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? 0);
}

/** The mount that the real path `path` lies on. */
export function mountOf(path: string, mounts = readMounts()): HostMount | undefined {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    return mounts.get(mountIdOfFd(fd));
  } finally {
    closeSync(fd);
  }
}

/** The kernel escapes single bytes (blanks, line ends, backslashes), all of them below 128. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
