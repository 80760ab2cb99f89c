import { realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FsError } from '../../core/index.js';
import { hostErrorFrom } from './host-error.js';

/**
 * @throws FsError EINVAL when the directory `path` holds, is, or lies in one of `forbidden` (which need
 * not exist yet). Compared by what the directories are, so that symlinks and bind mounts make no difference.
 */
export function checkOverlap(name: string, path: string, forbidden: readonly string[]): void {
  const own = keysUpwards(path);
  for (const other of forbidden) {
    const others = keysUpwards(other);
    const relation = others.includes(own[0]!) ? 'contains' : own.includes(others[0]!) ? 'lies in' : undefined;
    if (relation === undefined) continue;
    throw new FsError(
      'EINVAL',
      `The export ${JSON.stringify(name)} (${path}) is refused: it ${relation} ${other}, which is kept apart.`,
      {
        path,
        hint: 'Export a directory that has nothing to do with the mount point, state, tokens, manifests or drivers.',
      },
    );
  }
}

/** What tells `path` and each directory above it from all others, the innermost first; a part that is not there by its path. */
function keysUpwards(path: string): string[] {
  const keys: string[] = [];
  let at = resolve(path);
  for (;;) {
    const real = realPathIfThere(at);
    if (real !== undefined) {
      at = real;
      break;
    }
    keys.push(`path ${at}`);
    at = dirname(at);
  }
  for (;;) {
    const { dev, ino } = statSync(at, { bigint: true });
    keys.push(`${dev}:${ino}`);
    if (at === dirname(at)) return keys;
    at = dirname(at);
  }
}

function realPathIfThere(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (thrown) {
    const error = hostErrorFrom(thrown);
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
