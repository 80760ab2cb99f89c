import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Block } from './blocks.js';

export const top = resolve(import.meta.dirname, '../../..');
export const program = join(top, 'dist/bin/acheron.js');

/** What a block printed; undefined for those that were not reached. */
export interface DocumentRun {
  readonly printed: ReadonlyMap<Block, string>;
  /** The exit status of the session: 0 when all blocks were run to their end. */
  readonly status: number | null;
}

/** Runs the blocks of one document as a session of bash, in a folder of its own that is removed afterwards. */
export async function runDocument(blocks: readonly Block[]): Promise<DocumentRun> {
  // Not below the checkout: a cleanup of its test folders must never walk into a live mount.
  const home = await mkdtemp(join(tmpdir(), 'acheron-docs-'));
  const folder = join(home, 'work');
  for (const name of ['work', 'work/services', 'work/drivers', 'out', 'bin']) await mkdir(join(home, name));
  const env = environment(home);
  let up: ChildProcess | undefined;
  try {
    if (blocks.some((block) => block.kind === 'tour')) up = await startMount(home, folder, env);
    const steps = blocks.map((block, index) => stepFor(block, index, home));
    await writeFile(join(home, 'session'), `set -e\n${(await Promise.all(steps)).join('')}`);
    const shell = spawn('bash', [join(home, 'session')], { cwd: folder, env, stdio: 'ignore' });
    const [status] = (await once(shell, 'exit')) as [number | null];
    const printed = new Map<Block, string>();
    for (const [index, block] of blocks.entries()) {
      const text = await readFile(join(home, 'out', String(index)), 'utf8').catch(() => undefined);
      if (text !== undefined) printed.set(block, text);
    }
    return { printed, status };
  } finally {
    if (up?.exitCode === null) {
      const gone = once(up, 'exit');
      up.kill('SIGTERM');
      await gone;
    }
    await rm(home, { recursive: true, force: true });
  }
}

/** The part of the session that does what a block says. */
async function stepFor(block: Block, index: number, home: string): Promise<string> {
  if (block.kind === 'run' || block.kind === 'tour')
    return `exec >'${join(home, 'out', String(index))}' 2>&1\n${block.text}`;
  if (block.file === undefined) return '';
  const kept = join(home, `block-${index}`);
  await writeFile(kept, block.text);
  await chmod(kept, 0o755);
  const target = join(home, 'work', block.file);
  // Renamed into place, as an editor would: a manifest is never seen half written.
  return `mkdir -p '${dirname(target)}'; mv '${kept}' '${target}'\n`;
}

/** Little of the tests' own environment reaches the documents: their commands should work for anybody. */
function environment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(TAP|NODE_|ACHERON_|npm_|XDG_)/i.test(name));
  return {
    ...Object.fromEntries(kept),
    PATH: `${join(home, 'bin')}:${process.env['PATH']}`,
    ACHERON_STATE_DIR: join(home, 'state'),
    NO_COLOR: '1',
  };
}

async function startMount(home: string, folder: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  await writeFile(join(home, 'bin/acheron'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(join(home, 'bin/acheron'), 0o755);
  const up = spawn(process.execPath, [program, 'up', './mnt', '--services-dir', './services'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(up, 'exit').then(() => {
    throw new Error('acheron up ended before it was ready');
  });
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: up.stdout }).on('line', (line) => {
      if (line.includes('mnt')) resolve();
    });
  });
  await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  return up;
}
