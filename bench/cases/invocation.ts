import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { servicesIn, startAcheron } from '../acheron.js';
import type { BenchCase } from '../bench.js';
import { interleave, quantile } from '../interleave.js';
import { plainEnvironment, top } from '../tools.js';

const PAYLOAD = '{"message":"hello"}\n';
const CALLS_PER_ROUND = 20;

export const invocation: BenchCase = {
  name: 'invocation',
  title: 'echo through the mount (write, then read the reply) against spawning the same driver directly',
  async run(bench) {
    const up = await startAcheron(bench);
    try {
      const control = join(servicesIn(up.dir), 'echo/control/invoke.json');
      const turns = new Map([
        ['spawn', () => timed(spawnEcho)],
        ['mount', () => timed(() => invokeThroughMount(control))],
      ]);
      await interleave(turns, 3);
      const figures = await interleave(turns, bench.rounds * CALLS_PER_ROUND);
      return [0.5, 0.99].map((q) => ({
        what: `echo, p${q * 100}`,
        unit: 'ms',
        better: 'less',
        values: Object.fromEntries([...figures].map(([name, list]) => [name, quantile(list, q)])),
        baseline: 'spawn',
        ...(q === 0.5 ? { aim: '<= 1.1x' } : {}),
      }));
    } finally {
      await up.stop();
    }
  },
};

export async function timed(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Writes the request, and reads its reply back from the same descriptor. */
export async function invokeThroughMount(control: string, payload = PAYLOAD): Promise<void> {
  const file = await open(control, 'r+');
  try {
    await file.write(payload);
    const reply = await file.readFile('utf8');
    if (!reply.startsWith('{')) throw new Error(`echo answered ${JSON.stringify(reply)}`);
  } finally {
    await file.close();
  }
}

/** The reference driver, started as the node starts it, without a node. */
export async function spawnEcho(): Promise<void> {
  const child = spawn('node', [join(top, 'dist/drivers/echo.js')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: plainEnvironment(),
  });
  let reply = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (reply += text));
  child.stdin.end(PAYLOAD);
  await once(child, 'close');
  if (!reply.includes('hello')) throw new Error(`echo answered ${JSON.stringify(reply)}`);
}
