import { statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { ServiceDefinition } from '../manifest/index.js';
import type { DriverFile } from './driver-files.js';
import type { Distrust } from '../drivers/index.js';
import { envOf, programOf } from './runtime-program.js';

/** Variables whose value names files or folders that decide what a program runs. */
const PATH_VARIABLES = new Set([
  ...['PATH', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'BASH_ENV', 'ENV', 'CLASSPATH', 'NODE_PATH', 'PYTHONPATH'],
  ...['PYTHONHOME', 'PYTHONSTARTUP', 'PERL5LIB', 'RUBYLIB', 'GEM_PATH', 'LUA_PATH', 'JULIA_LOAD_PATH'],
]);

/** Why a path must not decide what a service runs; null: it may. */
export type ExposureCheck = (path: string) => Distrust | null;

/**
 * Finds what of a service others may write to: what it runs (`found`), every argument that names a file, folders of
 * programs that come first on PATH, and what its environment adds to these.
 */
export function exposedFiles(
  definition: ServiceDefinition,
  found: readonly DriverFile[],
  searchPath: string,
  check: ExposureCheck,
): (DriverFile & Distrust)[] {
  const looked = [
    ...found,
    ...foldersBefore(definition, searchPath),
    ...argumentFiles(definition),
    ...environmentFiles(definition),
  ];
  const exposed = new Map<string, DriverFile & Distrust>();
  for (const file of looked) {
    const distrust = check(file.path);
    if (distrust !== null && !exposed.has(file.pointer)) exposed.set(file.pointer, { ...file, ...distrust });
  }
  return [...exposed.values()];
}

/** The folders in which a program that is named without one may be found, once somebody puts one there. */
function foldersBefore({ runtime }: ServiceDefinition, searchPath: string): DriverFile[] {
  const { probe } = runtime;
  const own = programOf(runtime);
  const named = [
    { pointer: own?.pointer ?? '', program: own?.file ?? '/' },
    {
      pointer: '/runtime/probe/command/0',
      program: (probe?.type === 'exec' ? probe.command[0] : undefined) ?? '/',
    },
  ];
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '');
  return named
    .filter(({ program }) => !program.includes('/'))
    .flatMap(({ pointer, program }) => {
      const last = folders.findIndex((folder) => isThere(join(folder, program)));
      return folders.slice(0, last + 1).map((path) => ({ pointer, path }));
    });
}

function argumentFiles({ runtime }: ServiceDefinition): DriverFile[] {
  const { probe } = runtime;
  const own = programOf(runtime);
  const cwd = own?.cwd ?? '/';
  const args = runtime.type === 'wasm' ? runtime.args : (own?.args ?? []);
  return [
    ...namedIn(args, '/runtime/args', cwd),
    ...(probe?.type === 'exec' ? namedIn(probe.command, '/runtime/probe/command', cwd) : []),
  ];
}

function namedIn(args: readonly string[], pointer: string, cwd: string): DriverFile[] {
  return args.flatMap((arg, index) =>
    // `--option=path` names a file too.
    [arg, /^-[^=]*=(.+)$/.exec(arg)?.[1]]
      .filter((text): text is string => text !== undefined && text !== '' && !text.includes('\0'))
      .map((text) => ({ pointer: `${pointer}/${index}`, path: resolve(cwd, text) }))
      .filter(({ path }) => isThere(path)),
  );
}

function environmentFiles({ runtime }: ServiceDefinition): DriverFile[] {
  return Object.entries(envOf(runtime)).flatMap(([name, value]) =>
    PATH_VARIABLES.has(name)
      ? value
          .split(delimiter)
          .filter((path) => path.startsWith('/'))
          .map((path) => ({ pointer: `/runtime/env/${name}`, path }))
      : [],
  );
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // What cannot be looked at (too long, no right to) is not run either.
    return false;
  }
}
