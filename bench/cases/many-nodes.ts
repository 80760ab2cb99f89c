import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { freshDir } from '../mounts.js';
import { adminTokenFile, mountPlane, startControl } from '../plane.js';
import { simulateNodes } from '../simulated-nodes.js';
import { residentMebibytes } from '../resident-memory.js';
import { Clients, fanOut } from '../watchers.js';

const NODES = Number(process.env['ACHERON_BENCH_NODES'] ?? 1000);
const SERVICES = 50;
const WATCHERS = Math.min(NODES, 1000);
/** What a thousand nodes and ten thousand are to take. */
const AIMS =
  NODES > 1000
    ? { register: '<= 40 s', resident: '<= 700 MiB' }
    : { register: '<= 3 s', resident: '<= 512 MiB' };

/** What is measured: a figure, its unit, and what it should be. */
type Measure = (what: string, unit: string, figure: number, aim?: string) => void;

export const manyNodes: BenchCase = {
  name: 'many-nodes',
  title: `${NODES} simulated nodes with ${SERVICES} services each at one control plane`,
  async run(bench) {
    const rows: Row[] = [];
    const measure: Measure = (what, unit, figure, aim) => {
      bench.say(`${what}: ${figure.toFixed(1)} ${unit}`);
      rows.push({
        what,
        unit,
        better: 'less',
        values: { plane: figure },
        ...(aim === undefined ? {} : { aim }),
      });
    };
    const running: { stop(): Promise<void> }[] = [];
    try {
      const state = `${freshDir(bench)}-plane`;
      let control = await startControl(state);
      running.push({ stop: () => control.stop() });
      const tokenFile = adminTokenFile(state);
      bench.say(`${NODES} nodes join`);
      const nodes = await simulateNodes(bench, control.url, tokenFile, NODES, SERVICES);
      running.push(nodes);
      const first = await nodes.registered();
      measure('all connect and register, first time', 's', first.ms / 1000, AIMS.register);
      measure('attempts that failed', '', first.failed, '0');
      measure('resident', 'MiB', await residentMebibytes(control.pid), AIMS.resident);
      const clients = new Clients([control.url], readFileSync(tokenFile, 'utf8').trim());
      running.push(clients);
      await readCatalog(clients, measure);
      const { p50, p99 } = await fanOut(clients, WATCHERS);
      measure('one change to all watchers, p50', 'ms', p50);
      measure('one change to all watchers, p99', 'ms', p99, '<= 50 ms');
      measure('resident, with as many watchers', 'MiB', await residentMebibytes(control.pid), AIMS.resident);
      await listMount(bench, control.url, tokenFile, measure);
      await clients.stop();
      process.kill(control.pid, 'SIGKILL');
      const back = nodes.registered();
      control = await startControl(state, new URL(control.url).port);
      measure('all are back after kill -9', 's', (await back).ms / 1000, AIMS.register);
      measure('resident, then', 'MiB', await residentMebibytes(control.pid), AIMS.resident);
      return rows;
    } finally {
      for (const each of running.reverse()) await each.stop();
    }
  },
};

async function readCatalog(clients: Clients, measure: Measure): Promise<void> {
  const admin = await clients.admin();
  const start = performance.now();
  const { nodes } = await admin.request('node_list', {});
  measure('catalog read: the list of nodes', 'ms', performance.now() - start);
  const half = performance.now();
  for (const { node_id } of nodes) await admin.request('node_service_get', { node_id });
  measure('catalog read: every service, node by node', 'ms', performance.now() - half);
}

async function listMount(bench: Bench, url: string, tokenFile: string, measure: Measure): Promise<void> {
  const mount = await mountPlane(bench, url, tokenFile);
  const { dir } = mount;
  try {
    for (const what of ['mount: list all services of all nodes', 'the same again']) {
      const start = performance.now();
      const nodes = (await readdir(join(dir, 'nodes'))).filter((name) => name.startsWith('node-'));
      let found = 0;
      for (const node of nodes) {
        const names = await readdir(join(dir, 'nodes', node, 'services'));
        found += names.filter((name) => name.startsWith('service-')).length;
      }
      if (found !== NODES * SERVICES) throw new CannotRun(`the mount lists ${found} services`);
      measure(what, 'ms', performance.now() - start);
    }
  } finally {
    await mount.stop();
  }
}
