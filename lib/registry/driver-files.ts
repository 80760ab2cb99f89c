import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { FsError } from '../core/index.js';
import { filesToRun } from '../drivers/index.js';
import { placesOnPath } from '../linux/index.js';
import type { ServiceDefinition } from '../manifest/index.js';
import { envOf, programOf } from './runtime-program.js';

/** A file that a service runs, and the field of the manifest that names it. */
export interface DriverFile {
  readonly pointer: string;
  readonly path: string;
}

export interface DriverFiles {
  readonly found: readonly DriverFile[];
  readonly missing: readonly { pointer: string; fault: FsError }[];
}

/** The PATH that a driver of this service gets: its own, or the node's. */
export function searchPathOf({ runtime }: ServiceDefinition, ofNode: string): string {
  return envOf(runtime)['PATH'] ?? ofNode;
}

/**
 * Finds what a service runs: its program (on PATH where it has no slash), what that is interpreted by, files
 * among its arguments, module, and probe.
 */
export async function findDriverFiles(
  definition: ServiceDefinition,
  searchPath: string = process.env['PATH'] ?? '',
): Promise<DriverFiles> {
  const { runtime } = definition;
  const found: DriverFile[] = [];
  const missing: { pointer: string; fault: FsError }[] = [];
  const look = async (pointer: string, find: () => Promise<string>): Promise<void> => {
    try {
      found.push({ pointer, path: await find() });
    } catch (thrown) {
      missing.push({ pointer, fault: FsError.from(thrown) });
    }
  };
  const path = searchPathOf(definition, searchPath);
  const addRun = (program: string, args: string, words: readonly string[], cwd: string): void => {
    const file = found.find(({ pointer }) => pointer === program)?.path;
    for (const { path: one, argument } of file === undefined ? [] : filesToRun(file, words, cwd, path))
      if (one !== file)
        found.push({ pointer: argument === null ? program : `${args}/${argument}`, path: one });
  };
  const own = programOf(runtime);
  if (own !== null) {
    await look(own.pointer, () => findProgram(own.file, path));
    addRun(own.pointer, '/runtime/args', own.args, own.cwd);
  } else if (runtime.type === 'module' || runtime.type === 'wasm') {
    await look('/runtime/module_path', () => findFile(runtime.modulePath));
  }
  const envFile = runtime.type === 'mcp' ? runtime.server.envFile : null;
  if (envFile !== null) await look('/runtime/env_file', () => findFile(envFile));
  const command = runtime.probe?.type === 'exec' ? runtime.probe.command : [];
  const [program] = command;
  if (program !== undefined) {
    await look('/runtime/probe/command/0', () => findProgram(program, path));
    const cwd = own?.cwd ?? '/';
    addRun('/runtime/probe/command/0', '/runtime/probe/command', ['', ...command.slice(1)], cwd);
  }
  return { found, missing };
}

/**
 * The absolute path of a program; a name without a slash is looked up on `searchPath`.
 * @throws FsError ENOENT or EACCES, with what to do.
 */
export async function findProgram(program: string, searchPath: string): Promise<string> {
  if (program.includes('/')) return findFile(program, constants.X_OK);
  for (const path of placesOnPath(program, searchPath)) if (await isProgram(path)) return path;
  throw new FsError('ENOENT', `The program ${JSON.stringify(program)} is not on PATH.`, {
    hint: `Install it, or give its full path.`,
  });
}

async function findFile(path: string, mode: number = constants.R_OK): Promise<string> {
  const runs = mode === constants.X_OK;
  try {
    if (!(await stat(path)).isFile())
      throw new FsError('EACCES', `${path} is not a file.`, { hint: 'Name the file that is to be run.' });
    await access(path, mode);
    return path;
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error === thrown) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR')
      throw new FsError('ENOENT', `${path} does not exist.`, {
        hint: `Put ${basename(path)} there, or correct the path.`,
        cause: thrown,
      });
    throw new FsError(error.code, `${path} cannot be ${runs ? 'run' : 'read'} (${error.code}).`, {
      hint: `Run "chmod +${runs ? 'x' : 'r'} ${path}".`,
      cause: thrown,
    });
  }
}

async function isProgram(path: string): Promise<boolean> {
  return findFile(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
