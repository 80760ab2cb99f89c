import { join } from 'node:path';
import type { Bench } from './bench.js';
import { freshDir } from './mounts.js';
import { serve, type Served } from './served.js';

/** How long it took until all were registered, and how many attempts failed. */
interface Registered {
  readonly ms: number;
  readonly failed: number;
}

/** So many nodes with so many services each, of a process of their own, at a control plane. */
export async function simulateNodes(
  bench: Bench,
  url: string,
  tokenFile: string,
  nodes: number,
  services: number,
): Promise<Served & { registered(): Promise<Registered> }> {
  const waiting: ((all: Registered) => void)[] = [];
  const early: Registered[] = [];
  const child = join(import.meta.dirname, './simulate-nodes.js');
  const args = [child, url, tokenFile, String(nodes), String(services)];
  const served = await serve(freshDir(bench), process.execPath, args, (line) => {
    const [, ms, failed] = /^registered (\d+) failed (\d+)/.exec(line) ?? [];
    if (ms === undefined) return line === 'joined';
    const all = { ms: Number(ms), failed: Number(failed) };
    const next = waiting.shift();
    if (next === undefined) early.push(all);
    else next(all);
    return false;
  });
  const registered = (): Promise<Registered> =>
    new Promise((resolve) => {
      const all = early.shift();
      if (all === undefined) waiting.push(resolve);
      else resolve(all);
    });
  return { ...served, registered };
}
