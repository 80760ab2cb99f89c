import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Block } from './blocks.js';
import { makeHome, mountIn, type Mounted } from './mounted.js';
import { freePort } from '../support/free-port.js';

/** What a block printed; nothing for those that were not reached. */
export interface DocumentRun {
  readonly printed: ReadonlyMap<Block, string>;
  /** The exit status of the session: 0 when all blocks were run to their end. */
  readonly status: number | null;
}

/** Runs the blocks of one document as a session of bash, in a folder of its own that is removed afterwards. */
export async function runDocument(blocks: readonly Block[]): Promise<DocumentRun> {
  const home = await mkdtemp(join(tmpdir(), 'acheron-docs-'));
  let mounted: Mounted | undefined;
  try {
    if (blocks.some((block) => block.kind === 'tour')) mounted = await mountIn(home);
    const { folder, env } = mounted ?? (await makeHome(home));
    await mkdir(join(home, 'out'));
    const port = String(await freePort());
    const withPort = (block: Block): Block => ({ ...block, text: block.text.replaceAll('18800', port) });
    const steps = await Promise.all(blocks.map((block, index) => stepFor(withPort(block), index, home)));
    await writeFile(join(home, 'session'), `set -e\n${steps.join('')}`);
    const shell = spawn('bash', [join(home, 'session')], { cwd: folder, env, stdio: 'ignore' });
    const [status] = (await once(shell, 'exit')) as [number | null];
    const printed = new Map<Block, string>();
    for (const [index, block] of blocks.entries()) {
      const text = await readFile(join(home, 'out', String(index)), 'utf8').catch(() => undefined);
      if (text !== undefined) printed.set(block, text);
    }
    return { printed, status };
  } finally {
    await mounted?.stop();
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
