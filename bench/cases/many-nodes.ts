import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { ControlClient, type CatalogEvent } from '../../lib/control/index.js';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { joinNode } from '../join-node.js';
import { freshDir } from '../mounts.js';
import { quantile } from '../interleave.js';
import { adminTokenFile, mountPlane, startControl } from '../plane.js';
import { simulateNodes } from '../simulated-nodes.js';
import { residentMebibytes } from '../resident-memory.js';

const NODES = Number(process.env['ACHERON_BENCH_NODES'] ?? 1000);
const SERVICES = 50;
const WATCHERS = Math.min(NODES, 1000);
const CHANGES = 20;
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
      const clients = new Clients(control.url, readFileSync(tokenFile, 'utf8').trim());
      running.push(clients);
      await readCatalog(clients, measure);
      await fanOut(clients, measure);
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

/** Connections of this process, closed together. */
class Clients {
  readonly #url: string;
  readonly #token: string;
  readonly #all: ControlClient[] = [];

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async admin(): Promise<ControlClient> {
    const client = new ControlClient({ url: this.#url, token: this.#token }).start();
    this.#all.push(client);
    await client.ready();
    return client;
  }

  /** A connection as a node of its own, which can change its services. */
  async node(name: string): Promise<(version: number) => Promise<void>> {
    const admin = await this.admin();
    const proof = await joinNode(admin, name);
    const client = new ControlClient({ url: this.#url, connect: () => proof }).start();
    this.#all.push(client);
    const { node } = await client.ready();
    if (!node) throw new Error(`${name} was not taken for a node.`);
    return async (version) => {
      const service = { service_id: 'changing', kind: 'bench', version: String(version) };
      const services = [{ ...service, permissions: { allow_roles: ['admin'] } }];
      await client.request('node_service_upsert', {
        ...proof,
        epoch: node.epoch,
        services: services,
      });
    };
  }

  async stop(): Promise<void> {
    for (const client of this.#all.splice(0)) client.close();
  }
}

async function readCatalog(clients: Clients, measure: Measure): Promise<void> {
  const admin = await clients.admin();
  const start = performance.now();
  const { nodes } = await admin.request('node_list', {});
  measure('catalog read: the list of nodes', 'ms', performance.now() - start);
  const half = performance.now();
  for (const { node_id } of nodes) await admin.request('node_service_get', { node_id });
  measure('catalog read: every service, node by node', 'ms', performance.now() - half);
}

/** A change of one node reaches every watcher. */
async function fanOut(clients: Clients, measure: Measure): Promise<void> {
  const change = await clients.node('changing');
  const tookMs: number[] = [];
  let startMs = 0;
  let left = 0;
  let all: () => void = () => undefined;
  const onEvent = ({ kind }: CatalogEvent): void => {
    if (kind !== 'services') return;
    tookMs.push(performance.now() - startMs);
    if (--left === 0) all();
  };
  for (let i = 0; i < WATCHERS; i++) {
    const watcher = await clients.admin();
    await new Promise<void>((resolve) => watcher.watch({ onEvent, onBegin: resolve }));
  }
  for (let version = 1; version <= CHANGES; version++) {
    const reached = new Promise<void>((resolve) => (all = resolve));
    left = WATCHERS;
    startMs = performance.now();
    await change(version);
    await reached;
  }
  measure('one change to all watchers, p50', 'ms', quantile(tookMs, 0.5));
  measure('one change to all watchers, p99', 'ms', quantile(tookMs, 0.99), '<= 50 ms');
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
