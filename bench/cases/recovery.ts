import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { program } from '../acheron.js';
import type { BenchCase, Row } from '../bench.js';
import { quantile } from '../interleave.js';
import { freshDir } from '../mounts.js';
import { adminTokenFile, mountPlane, startControl, startNode } from '../plane.js';
import { serve, type ServedProcess } from '../served.js';
import { plainEnvironment } from '../tools.js';

const CAT = { service_id: 'cat', kind: 'bench', runtime: { type: 'native_proc', executable_path: 'cat' } };
/** A call that does not succeed is tried again after this. */
const AGAIN_MS = 5;
const GIVE_UP_MS = 60_000;

export const recovery: BenchCase = {
  name: 'recovery',
  title: 'kill -9 and start anew: from the kill to the first call that succeeds through the mount',
  async run(bench) {
    const services = join(bench.folder, 'recovery');
    await mkdir(services, { recursive: true });
    await writeFile(join(services, 'cat.json'), JSON.stringify(CAT), { mode: 0o600 });
    const state = `${freshDir(bench)}-plane`;
    const running = new Map<string, ServedProcess>();
    try {
      const control = await startControl(state);
      running.set('control', control);
      const { url } = control;
      const tokenFile = adminTokenFile(state);
      const node = await startNode(bench, url, tokenFile, 'far', '--services-dir', services);
      running.set('node', node);
      const mount = await mountPlane(bench, url, tokenFile);
      running.set('mount', mount);
      const again = (dir: string, ...args: readonly string[]): Promise<ServedProcess> =>
        serve(dir, process.execPath, [program, ...args], (line) => line !== '', plainEnvironment());
      const starts: Readonly<Record<string, () => Promise<ServedProcess>>> = {
        control: () => startControl(state, new URL(url).port),
        node: () =>
          again(
            node.dir,
            ...['node', '--control-url', url, '--node-name', 'far', '--state-dir', node.dir],
            ...['--services-dir', services],
          ),
        mount: () =>
          again(
            `${mount.dir}-state`,
            ...['mount', mount.dir, '--control-url', url, '--token-file', tokenFile],
            ...['--state-dir', `${mount.dir}-state`],
          ),
      };
      const request = join(mount.dir, 'nodes/far/services/cat/control/invoke.json');
      await untilCalled(request);
      const took = new Map<string, number[]>();
      for (let round = 0; round < bench.rounds; round++) {
        for (const [name, start] of Object.entries(starts)) {
          const startMs = performance.now();
          await running.get(name)?.kill();
          const [started] = await Promise.all([start(), untilCalled(request)]);
          const tookMs = performance.now() - startMs;
          took.set(name, [...(took.get(name) ?? []), tookMs]);
          running.set(name, started);
          bench.say(`${name}: ${Math.round(tookMs)} ms`);
          // A connection that was lost at once makes the next wait longer: these are to be losses of their own.
          await delay(1500);
        }
      }
      return [0.5, 0.95].map((q): Row => ({
        what: `kill -9 to a good call, p${q * 100}`,
        unit: 'ms',
        better: 'less',
        values: Object.fromEntries([...took].map(([name, list]) => [name, quantile(list, q)])),
        ...(q === 0.5 ? { aim: 'control, node < 1,000; mount < 500' } : {}),
      }));
    } finally {
      for (const each of [...running.values()].reverse()) await each.stop();
    }
  },
};

/** Calls until a call succeeds. */
async function untilCalled(request: string): Promise<void> {
  const untilMs = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      const file = await open(request, 'w');
      try {
        await file.write('{"a":1}\n');
        return;
      } finally {
        await file.close();
      }
    } catch (thrown) {
      if (performance.now() > untilMs) throw thrown;
      await delay(AGAIN_MS);
    }
  }
}
