import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Why /dev/fuse cannot be opened by this user, and what to do; null where it can. fusermount3 asks the same. */
export function fuseDeviceRefusal(): string | null {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return null;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT'
      ? '/dev/fuse is missing. Load the kernel module (modprobe fuse); in a container, pass --device /dev/fuse.'
      : '/dev/fuse may not be opened by this user. As root: chmod 666 /dev/fuse (Debian: install fuse3).';
  }
}

/** Whether a program of that name can be run. */
export function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      if (folder !== '') accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
