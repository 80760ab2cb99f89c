import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

const top = join(import.meta.dirname, '..');

/** When the sources were committed; without git, when package.json was written. */
export function dateOfSources() {
  try {
    const options = { cwd: top, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['log', '-1', '--format=%ct'], options).trim();
  } catch {
    return Math.floor(statSync(join(top, 'package.json')).mtimeMs / 1000);
  }
}
