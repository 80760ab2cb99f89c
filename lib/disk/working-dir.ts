import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FsError, reasonOf } from '../core/index.js';

const PREFIX = '.acheron-backup-';

/** A directory of one's own in `parent`, mode 0700, where a backup is put together or taken apart. The caller removes it. */
export function makeWorkingDir(parent: string): string {
  try {
    return mkdtempSync(join(parent, PREFIX));
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    throw new FsError(code, `Nothing can be written in ${parent}: ${reasonOf(thrown)}.`, {
      hint: 'Name a file in a directory that is there and that you may write.',
      path: parent,
      cause: thrown,
    });
  }
}

/** Removes what killed restores have left. The caller knows that no other is under way. */
export function removeWorkingDirs(parent: string): void {
  for (const name of readdirSync(parent))
    if (name.startsWith(PREFIX)) rmSync(join(parent, name), { recursive: true, force: true });
}
