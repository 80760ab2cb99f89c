import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { FsError } from '../core/index.js';
import { resolveExecutable } from './native-proc/executable.js';
import { TrustCheck } from './trust.js';

/** A file that decides what runs; `argument` is its place among the arguments, null for the program itself. */
export interface RunFile {
  readonly path: string;
  readonly argument: number | null;
}

/** A script may be run by a script; Linux follows four. */
const MAX_INTERPRETERS = 4;
/** As much of a script's first line as Linux reads. */
const FIRST_LINE_BYTES = 256;

/** All that runs with `file`, an absolute path: what its first line names, and files among the arguments. */
export function filesToRun(
  file: string,
  args: readonly string[],
  cwd: string,
  searchPath: string,
): RunFile[] {
  return [
    ...[file, ...interpretersOf(file, searchPath)].map((path) => ({ path, argument: null })),
    ...args.flatMap((arg, argument) =>
      [arg, /^-[^=]*=(.+)$/.exec(arg)?.[1] ?? '']
        .filter((text) => text !== '' && !/\0|\{payload/.test(text))
        .map((text) => ({ path: resolve(cwd, text), argument }))
        .filter(({ path }) => isFile(path)),
    ),
  ];
}

/** @throws FsError EIO with the reason where others could change one of `files`. */
export function mustBeTrusted(files: readonly string[]): void {
  const trust = new TrustCheck();
  for (const file of files) {
    const distrust = trust.file(file);
    if (distrust === null) continue;
    throw new FsError('EIO', `The driver cannot be trusted: ${distrust.message}.`, { hint: distrust.hint });
  }
}

function interpretersOf(file: string, searchPath: string): string[] {
  const found: string[] = [];
  while (found.length < MAX_INTERPRETERS) {
    const [interpreter, ...words] = firstLineOf(found.at(-1) ?? file);
    if (interpreter === undefined || !isFile(interpreter)) break;
    found.push(interpreter);
    if (basename(interpreter) !== 'env') continue;
    const program = words.find((word) => !word.startsWith('-') && !word.includes('='));
    if (program === undefined) break;
    try {
      found.push(resolveExecutable(program, searchPath));
    } catch {
      break; // Then it does not run, which is said when it is tried.
    }
  }
  return found;
}

/** The words of `#!…`; none for a program that needs no other. */
function firstLineOf(file: string): string[] {
  const start = Buffer.alloc(FIRST_LINE_BYTES);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return []; // A program may be executable without being readable.
  }
  try {
    const text = start.toString('latin1', 0, readSync(fd, start, 0, start.length, 0));
    const [, line] = /^#!(.*)/.exec(text) ?? [];
    return line === undefined ? [] : line.trim().split(/[ \t]+/);
  } finally {
    closeSync(fd);
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // A path that cannot be looked at is no file that runs.
    return false;
  }
}
