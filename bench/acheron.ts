import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Bench } from './bench.js';
import { freshDir } from './mounts.js';
import { serve, type Served } from './served.js';
import { plainEnvironment, top } from './tools.js';

/** As the package installs it. */
export const program = join(top, 'dist/bundle/bin/acheron.js');

/** Makes `program` of what is compiled now, so that no older one is measured. */
export async function bundleProgram(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(top, 'bin/bundle.mjs')]);
}

/** The node's folder in a mount that `up` made. */
export function servicesIn(dir: string): string {
  return join(dir, 'nodes/local/services');
}

/** `acheron up` with a state folder of its own; answers when the command says that the mount is ready. */
export async function startAcheron(bench: Bench, ...args: readonly string[]): Promise<Served> {
  const dir = freshDir(bench);
  return serve(
    dir,
    process.execPath,
    [program, 'up', dir, '--state-dir', `${dir}-state`, ...args],
    (line) => line.includes(dir),
    plainEnvironment(),
  );
}
