import { constants, copyFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Copies a damaged file to `<path>.damaged-<time>` beside it, so that somebody can look at it or mend it,
 * and answers where it is. A file that was kept already is not copied again. Null where it could not be kept.
 */
export function keepAside(path: string, nowMs = Date.now()): string | null {
  const prefix = `${basename(path)}.damaged-`;
  try {
    const kept = readdirSync(dirname(path)).find((name) => name.startsWith(prefix));
    if (kept !== undefined) return join(dirname(path), kept);
    const copy = `${path}.damaged-${new Date(nowMs).toISOString().replace(/[:.]/g, '')}`;
    copyFileSync(path, copy, constants.COPYFILE_EXCL);
    return copy;
  } catch {
    return null;
  }
}
