import { readFileSync, readdirSync } from 'node:fs';

/**
 * What proc(5) shows. Processes and descriptors go while they are looked at, others' are not ours to see, and some systems
 * have no `/proc` (macOS): what cannot be read is empty.
 */
export function procText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The names in a directory of `/proc`. */
export function procNames(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** The processes that there are. */
export const processIds = (): number[] =>
  procNames('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
