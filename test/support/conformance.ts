import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from './mount-child.js';
import { temporaryDir, type Teardown } from './test-node.js';

const top = join(import.meta.dirname, '../../..');
/** The protocol's conformance suite asks for what Node 20 has not. */
const NODE_22 = join(top, 'test/nodes/node_modules/node-22/bin/node');
const SUITE = join(top, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');

/** Why the suite cannot be run here; false where it can. */
export const lacksConformance = existsSync(NODE_22) ? false : `${NODE_22} is missing: npm ci in test/nodes`;

/** Runs the suite. */
export async function runConformance(
  t: Teardown,
  args: readonly string[],
): Promise<{ status: number | null; said: string }> {
  const child = spawn(NODE_22, [SUITE, ...args, '-o', temporaryDir(t)], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, said };
}
