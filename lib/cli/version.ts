import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The package's folder, from the compiled file's place in it. */
export const PACKAGE_DIR = join(import.meta.dirname, '..', '..', '..');

export const VERSION = (
  JSON.parse(readFileSync(join(PACKAGE_DIR, 'package.json'), 'utf8')) as { version: string }
).version;
