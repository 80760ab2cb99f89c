import { mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RemoteTree } from '../../lib/compose/index.js';
import { servicesIn, startAcheron } from '../acheron.js';
import type { Bench, BenchCase, Row } from '../bench.js';
import { freshDir } from '../mounts.js';
import { alternate, interleave, medians, quantile } from '../interleave.js';
import { adminTokenFile, mountPlane, startControl, startNode } from '../plane.js';
import { readMounted, readSmall } from '../remote-files.js';
import { RawSocket, startFar } from '../remote.js';
import { top } from '../tools.js';
import { invokeThroughMount, spawnEcho, timed } from './invocation.js';

const CALLS_PER_ROUND = 20;
const PERSISTENT = {
  service_id: 'persistent',
  kind: 'bench',
  permissions: { allow_roles: ['admin'] },
  runtime: {
    type: 'native_proc',
    executable_path: 'node',
    args: [join(top, 'dist/bench/echo-frames.js')],
    mode: 'persistent',
  },
};

export const throughPlane: BenchCase = {
  name: 'through-plane',
  title: "another node's service by way of a control plane: two WebSockets to it, two back",
  async run(bench) {
    const services = join(bench.folder, 'through-plane');
    await mkdir(services, { recursive: true });
    await writeFile(join(services, 'persistent.json'), JSON.stringify(PERSISTENT), { mode: 0o600 });
    const running: { stop(): Promise<void> }[] = [];
    const started = async <T extends { stop(): Promise<void> }>(start: Promise<T>): Promise<T> => {
      const it = await start;
      running.push(it);
      return it;
    };
    try {
      const state = `${freshDir(bench)}-plane`;
      const control = await started(startControl(state));
      const tokenFile = adminTokenFile(state);
      await started(
        startNode(
          bench,
          control.url,
          tokenFile,
          'far',
          '--services-dir',
          services,
          '--service-manifest',
          join(top, 'manifests/services/echo.json'),
        ),
      );
      const mount = await started(mountPlane(bench, control.url, tokenFile));
      const local = await started(startAcheron(bench, '--no-control', '--services-dir', services));
      const far = join(mount.dir, 'nodes/far/services');
      const near = servicesIn(local.dir);
      return [
        await readLive(bench, { control: control.url, tokenFile, far, near, started }),
        ...(await invoke(bench, 'echo', far, near)),
        ...(await invoke(bench, 'persistent', far, near)),
      ];
    } finally {
      for (const each of running.reverse()) await each.stop();
    }
  },
};

interface Places {
  readonly control: string;
  readonly tokenFile: string;
  /** The services of the node at the far end, and those of one on this machine, in their mounts. */
  readonly far: string;
  readonly near: string;
  readonly started: <T extends { stop(): Promise<void> }>(start: Promise<T>) => Promise<T>;
}

async function readLive(bench: Bench, { control, tokenFile, far, near, started }: Places): Promise<Row> {
  bench.say('open+read+close');
  const echo = await started(startFar(bench));
  const relay = await started(startFar(bench, echo.url));
  const raw = await RawSocket.connect(relay.url);
  const tree = new RemoteTree({ url: control, token: readFileSync(tokenFile, 'utf8').trim() });
  try {
    await tree.start();
    const actions = new Map<string, () => unknown>([
      ['ws', () => raw.roundTrip(300)],
      ['tunnel', () => readSmall(tree.vfs, 'nodes/far/services/echo/status.json')],
      ['mounted tunnel', () => readMounted(join(far, 'echo/status.json'))],
      ['local mount', () => readMounted(join(near, 'echo/status.json'))],
    ]);
    await alternate(actions, 0.1);
    const values = medians(await alternate(actions, bench.seconds * bench.rounds));
    return {
      what: 'open+read+close of status.json, p50',
      unit: 'us',
      better: 'less',
      values,
      baseline: 'ws',
      aim: '<= 1.5x',
    };
  } finally {
    raw.close();
    await tree.close();
  }
}

async function invoke(bench: Bench, service: string, far: string, near: string): Promise<Row[]> {
  bench.say(`invoke ${service}`);
  const call = (services: string) => (): Promise<number> =>
    timed(() => invokeThroughMount(join(services, service, 'control/invoke.json')));
  const turns = new Map([
    ['spawn', () => timed(spawnEcho)],
    ['mounted tunnel', call(far)],
    ['local mount', call(near)],
  ]);
  await interleave(turns, 3);
  const figures = await interleave(turns, bench.rounds * CALLS_PER_ROUND);
  return [0.5, 0.99].map((q) => ({
    what: `invoke ${service}, p${q * 100}`,
    unit: 'ms',
    better: 'less',
    values: Object.fromEntries([...figures].map(([name, list]) => [name, quantile(list, q)])),
    baseline: 'spawn',
  }));
}
