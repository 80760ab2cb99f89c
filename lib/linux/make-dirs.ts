import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a directory and those above it that are missing; one that is there is left as it is. Not `mkdirSync` with `recursive`, which never
 * ends where a file system (/proc) answers ENOENT below a directory that is there. Throws as mkdir(2).
 */
export function makeDirs(dir: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let path = resolve(dir); !isThere(path); path = dirname(path)) missing.push(path);
  for (const path of missing.reverse()) makeUnlessThere(path, mode);
  if (missing.length === 0 && !statSync(dir).isDirectory()) makeUnlessThere(dir, mode);
}

/** Somebody else may make it meanwhile. */
function makeUnlessThere(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (thrown) {
    const isMade = (thrown as NodeJS.ErrnoException).code === 'EEXIST' && statSync(path).isDirectory();
    if (!isMade) throw thrown;
  }
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}
