import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Has what was written to a file, or the names in a directory, on the disk when it returns (fsync(2)). */
export function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
