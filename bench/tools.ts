import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CannotRun } from './bench.js';

const execute = promisify(execFile);

/** The top of the checkout, seen from dist/bench. */
export const top = resolve(import.meta.dirname, '../..');
const sources = join(top, 'bench/c');
const built = join(top, 'bench/build');

/** The programs in C that the measurements use, by path. */
export interface Tools {
  readonly load: string;
  /** Null, with the reason, where libfuse3's headers are missing. */
  readonly yardstick: string | null;
  readonly passthrough: string | null;
  readonly withoutFuse: string | null;
}

/** @throws CannotRun without a C compiler. */
export async function buildTools(): Promise<Tools> {
  await mkdir(built, { recursive: true });
  const load = await compile('load', ['-pthread']);
  const flags = await execute('pkg-config', ['--cflags', '--libs', 'fuse3']).then(
    ({ stdout }) => stdout.trim().split(/\s+/),
    () => null,
  );
  if (flags === null)
    return {
      load,
      yardstick: null,
      passthrough: null,
      withoutFuse: 'pkg-config does not find fuse3; on Debian: apt-get install pkg-config libfuse3-dev',
    };
  const yardstick = await compile('yardstick', flags);
  const passthrough = await compile('passthrough', flags);
  return { load, yardstick, passthrough, withoutFuse: null };
}

async function compile(name: string, flags: readonly string[]): Promise<string> {
  const program = join(built, name);
  try {
    await execute('gcc', ['-O2', '-o', program, join(sources, `${name}.c`), ...flags]);
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'there is no gcc; on Debian: apt-get install gcc libc6-dev'
        : `bench/c/${name}.c does not compile: ${(error as Error).message}`;
    throw new CannotRun(reason);
  }
  return program;
}

/** What bench/c/load.c prints. */
export interface LoadFigures {
  readonly per_second: number;
  readonly bytes_per_second: number;
  readonly p50_us: number;
  readonly p99_us: number;
}

export async function runLoad(
  tools: Tools,
  operation: string,
  path: string,
  threads: number,
  seconds: number,
  payload = '{}',
): Promise<LoadFigures> {
  const { stdout } = await execute(tools.load, [operation, path, String(threads), String(seconds), payload]);
  return JSON.parse(stdout) as LoadFigures;
}

/**
 * What every process that is timed gets, like a driver does: variables that make Node read certificates or
 * options at start would count for one side alone.
 */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG } = process.env;
  return { PATH, HOME, LANG, NO_COLOR: '1' };
}
