import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CannotRun, type Bench } from './bench.js';
import { freshDir } from './mounts.js';
import { serve, type Served } from './served.js';
import { plainEnvironment, top } from './tools.js';

export const program = join(top, 'dist/bin/acheron.js');

/** The node's folder in a mount that `up` made. */
export function servicesIn(dir: string): string {
  return join(dir, 'nodes/local/services');
}

/** `acheron up` with a state folder of its own; answers when the command says that the mount is ready. */
export async function startAcheron(bench: Bench, ...args: readonly string[]): Promise<Served> {
  await access(program).catch(() => {
    throw new CannotRun('dist/bin/acheron.js is not built');
  });
  const dir = freshDir(bench);
  return serve(
    dir,
    process.execPath,
    [program, 'up', dir, '--state-dir', `${dir}-state`, ...args],
    (line) => line.includes(dir),
    plainEnvironment(),
  );
}
