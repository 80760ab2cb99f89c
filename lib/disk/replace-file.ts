import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FsError, reasonOf } from '../core/index.js';
import { isNoSpace } from './disk-reserve.js';
import { syncPath } from './sync-path.js';

/**
 * Replaces a file atomically: a reader, or a start after a kill, finds the old or the new, never a part. On
 * the disk when it returns, unless `sync` is false: after a power loss it may be the old one then.
 * @throws FsError; the old file is as it was then.
 */
export function replaceFile(path: string, content: string | Uint8Array, { sync = true } = {}): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    const fd = openSync(draft, 'w', 0o600);
    try {
      writeFileSync(fd, content);
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (thrown) {
    rmSync(draft, { force: true });
    throw cannotReplace(path, thrown);
  }
  if (sync) syncPath(dirname(path));
}

function cannotReplace(path: string, cause: unknown): FsError {
  const { code } = FsError.from(cause);
  const hint = isNoSpace(cause) ? 'Free some space on its disk' : 'Look at its disk and its permissions';
  return new FsError(code, `${path} cannot be written: ${reasonOf(cause)}.`, {
    hint: `${hint}, and try again; the file is as it was.`,
    path,
    cause,
  });
}
