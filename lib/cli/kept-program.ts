import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { constants, Script } from 'node:vm';
import { replaceFile } from '../disk/index.js';
import { compiledDir } from './compile-cache.js';
import { COMPLETE } from './completion/candidate.js';

export { keepCompiledModules } from './compile-cache.js';

/** The whole program as one function; `bin/bundle.mjs` makes it. Its name has a hash of what is in it. */
const PROGRAM = /^program-[A-Z0-9]+\.cjs$/;
/** Commands that ask something and end: most of what they take is to load the program. */
const SHORT_COMMANDS: ReadonlySet<string | undefined> = new Set([
  ...['ls', 'cat', 'invoke', 'wait', 'status', 'watch', 'nodes', 'explain', 'audit'],
  ...['token', 'project', 'invite', 'pair', 'console', 'history', 'diff'],
  ...[COMPLETE],
]);
/** Of all commands and releases of Node, kept at a time. */
const MAX_KEPT = 32;

/** A program whose compiled code is kept. */
export interface KeptProgram {
  readonly main: (argv: readonly string[]) => Promise<number>;
  /** Keeps what was compiled meanwhile, for the next time, where it was not there. */
  keep(): void;
}

/**
 * The program in `dir`, with the code that V8 made of it when the command ran before: what it compiled at first takes as long
 * as all else. Undefined where it is not in one file, or where its code cannot be kept (`compiledDir`).
 */
export function keptProgram(
  dir: string,
  command: string | undefined,
  env = process.env,
): KeptProgram | undefined {
  if (!SHORT_COMMANDS.has(command)) return undefined;
  const name = readdirSync(dir).find((found) => PROGRAM.test(found));
  const kept = name === undefined ? undefined : compiledDir(env);
  if (name === undefined || kept === undefined) return undefined;
  const filename = join(dir, name);
  const cache = join(kept, `${command ?? ''}-${name}-${process.version}-${process.arch}.v8`);
  const cachedData = readKept(cache);
  // It has no character beyond ASCII, so that a byte is a character.
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} as Pick<KeptProgram, 'main'> };
  const run = script.runInThisContext() as (...parts: readonly unknown[]) => void;
  run(module.exports, createRequire(filename), module, filename, dirname(filename));
  return {
    main: module.exports.main,
    keep: () => {
      if (cachedData !== undefined && script.cachedDataRejected === false) return;
      try {
        makeRoom(kept);
        replaceFile(cache, script.createCachedData());
      } catch {
        // A full disk, say: the next command compiles for itself too.
      }
    },
  };
}

function readKept(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    // The command has not run yet, or long ago.
    return undefined;
  }
}

/** Removes what has not been written for longest, where there is too much. */
function makeRoom(dir: string): void {
  const files = readdirSync(dir)
    .filter((name) => name.endsWith('.v8'))
    .map((name) => join(dir, name));
  const age = (path: string): number => statSync(path).mtimeMs;
  for (const path of files.sort((a, b) => age(b) - age(a)).slice(MAX_KEPT - 1)) rmSync(path);
}
