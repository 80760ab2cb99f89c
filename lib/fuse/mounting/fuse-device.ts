import { accessSync, constants } from 'node:fs';
import { placesOnPath } from '../../linux/index.js';

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

/** Where the program of that name is that would be run; null where there is none. */
export function programOnPath(program: string): string | null {
  const isRunnable = (file: string): boolean => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return placesOnPath(program, process.env.PATH ?? '').find(isRunnable) ?? null;
}
