import { copyFileSync, fstatSync, ftruncateSync } from 'node:fs';

/** What a log in the background takes at most, and its predecessor again. */
export const MAX_LOG_BYTES = 8 * 1024 * 1024;

/**
 * Sets what was logged so far aside as `<path>.1` once it has grown to `maxBytes`. A process that writes to `file`
 * goes on with the same descriptor, so it must have been opened for appending. Where the disk has no room for
 * both, the older lines are lost: a log must not fill it.
 */
export function rotateLog(file: number, path: string, maxBytes = MAX_LOG_BYTES): void {
  if (fstatSync(file).size < maxBytes) return;
  try {
    copyFileSync(path, `${path}.1`);
  } catch {
    // The lines are lost.
  }
  ftruncateSync(file, 0);
}
