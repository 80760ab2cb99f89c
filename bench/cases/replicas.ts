import { readFileSync } from 'node:fs';
import postgres from 'postgres';
import { PostgresLog, storeAddressFrom } from '../../lib/cluster/index.js';
import { ControlClient, ControlStore, openShared } from '../../lib/control/index.js';
import { silentLog } from '../../lib/core/index.js';
import { noPostgres, PostgresServer } from '../../test/support/postgres.js';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { quantile } from '../interleave.js';
import { freshDir } from '../mounts.js';
import { adminTokenFile, startControl, type ServedPlane } from '../plane.js';
import { residentMebibytes } from '../resident-memory.js';
import { simulateNodes } from '../simulated-nodes.js';
import { Clients, fanOut } from '../watchers.js';

const NODES = Number(process.env['ACHERON_BENCH_NODES'] ?? 1000);
const SERVICES = 50;
const REPLICAS = 3;
const WATCHERS = 1000;
const TIMES = 300;

export const replicas: BenchCase = {
  name: 'replicas',
  title: `${REPLICAS} control planes over one PostgreSQL beside one by itself`,
  async run(bench) {
    if (noPostgres !== false) throw new CannotRun(noPostgres);
    const undo: (() => void | Promise<void>)[] = [];
    try {
      const server = await PostgresServer.primary({ teardown: (callback) => void undo.push(callback) });
      return [
        ...(await writes(bench, server)),
        ...(await throughTheWire(bench, server, (callback) => void undo.push(callback))),
      ];
    } finally {
      for (const callback of undo.reverse()) await callback();
    }
  },
};

/** A change that is one row, and a bare commit of one row in the same database, one after the other. */
async function writes(bench: Bench, server: PostgresServer): Promise<Row[]> {
  const address = storeAddressFrom(`${PostgresServer.url(server)}?schema=writes`);
  const log = await PostgresLog.open({ address, password: undefined, log: silentLog });
  const stateDir = `${freshDir(bench)}-writes`;
  const store = new ControlStore({ stateDir }, await openShared(log, { stateDir, version: '0.0.0' }));
  await store.start('ws://127.0.0.1:1');
  const sql = postgres({
    host: '127.0.0.1',
    port: server.port,
    user: 'acheron',
    database: 'acheron',
    max: 1,
  });
  try {
    await sql.unsafe('CREATE TABLE bare (n int)');
    const bare = await medianOf(() => sql.unsafe('INSERT INTO bare VALUES ($1)', [1], { prepare: true }));
    const change = await medianOf(() => store.commit(() => store.events.append('pairing', null, {})));
    bench.say(`one-row commit ${bare.toFixed(2)} ms, change ${change.toFixed(2)} ms`);
    const values = { 'bare commit': bare, 'change of the log': change };
    return [{ what: 'a write', unit: 'ms', better: 'less', values, baseline: 'bare commit', aim: '<= 3 ×' }];
  } finally {
    await sql.end();
    await store.leave();
    store.close();
  }
}

async function throughTheWire(
  bench: Bench,
  server: PostgresServer,
  undo: (callback: () => void | Promise<void>) => void,
): Promise<Row[]> {
  const alone = `${freshDir(bench)}-alone`;
  const single = await startControl(alone);
  undo(() => single.stop());
  const planes: ServedPlane[] = [];
  const first = `${freshDir(bench)}-replica`;
  for (let n = 0; n < REPLICAS; n++) {
    const state = n === 0 ? first : `${freshDir(bench)}-replica`;
    const plane = await startControl(state, '0', '--store', PostgresServer.url(server));
    undo(() => plane.stop());
    planes.push(plane);
  }
  const [one] = planes as [ServedPlane];
  const rows: Row[] = [];
  const clients = { single: clientOf(single, alone), replica: clientOf(one, first) };
  for (const client of Object.values(clients)) {
    undo(() => client.close());
    await client.ready();
    await client.request('project_create', { project_id: 'p' });
  }
  const both = async (
    what: string,
    act: (client: ControlClient) => Promise<unknown>,
    aim?: string,
  ): Promise<void> => {
    const values = {
      single: await medianOf(() => act(clients.single)),
      [`one of ${REPLICAS}`]: await medianOf(() => act(clients.replica)),
    };
    bench.say(`${what}: ${JSON.stringify(values)}`);
    rows.push({
      what,
      unit: 'ms',
      better: 'less',
      values,
      baseline: 'single',
      ...(aim === undefined ? {} : { aim }),
    });
  };
  await both('a read', (client) => client.request('project_get', { project_id: 'p' }), '<= 1.1 ×');
  let n = 0;
  await both('a change of rights, known everywhere', (client) =>
    client.request('project_update', { project_id: 'p', description: String(n++) }),
  );
  bench.say(`${NODES} nodes join`);
  const joinStartMs = performance.now();
  const fleets = await Promise.all(
    planes.map((plane) =>
      simulateNodes(bench, plane.url, adminTokenFile(first), Math.ceil(NODES / REPLICAS), SERVICES),
    ),
  );
  const joinSeconds = (performance.now() - joinStartMs) / 1000;
  bench.say(`joined in ${joinSeconds.toFixed(1)} s`);
  for (const fleet of fleets) undo(() => fleet.stop());
  const registered = await Promise.all(fleets.map((fleet) => fleet.registered()));
  const seconds = Math.max(...registered.map(({ ms }) => ms)) / 1000;
  const failed = registered.reduce((sum, one) => sum + one.failed, 0);
  bench.say(`registered in ${seconds.toFixed(1)} s, ${failed} attempts failed`);
  const spread = (what: string, unit: string, figure: number, aim?: string): void => {
    const values = { [`${REPLICAS} replicas`]: figure };
    rows.push({ what, unit, better: 'less', values, ...(aim === undefined ? {} : { aim }) });
  };
  spread(`${NODES} nodes join by invites`, 's', joinSeconds);
  spread('attempts to register that failed', '', failed, '0');
  const aim = NODES >= 10_000 ? '<= 60 s' : undefined;
  spread(`${NODES} nodes with ${SERVICES} services register, spread over all`, 's', seconds, aim);
  const memory = await Promise.all(planes.map(({ pid }) => residentMebibytes(pid)));
  const [most, conflicts] = [Math.max(...memory), await sumOf(planes, 'acheron_control_log_conflicts_total')];
  const appends = await sumOf(planes, 'acheron_control_log_appends_total');
  bench.say(
    `${conflicts} of ${appends} entries came second; memory ${memory.map(Math.round).join(', ')} MiB`,
  );
  spread('memory of a replica then', 'MiB', most, '<= 1536 MiB');
  spread('entries that came second', '%', (100 * conflicts) / appends);
  const urls = planes.map(({ url }) => url);
  const watching = new Clients(urls, readFileSync(adminTokenFile(first), 'utf8').trim());
  undo(() => watching.stop());
  const { p50, p99 } = await fanOut(watching, WATCHERS);
  bench.say(`a change told to ${WATCHERS} watchers: ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  spread(`a change told to ${WATCHERS} watchers, p50`, 'ms', p50);
  spread(`a change told to ${WATCHERS} watchers, p99`, 'ms', p99, '<= 50 ms');
  return rows;
}

/** Of a counter, over all replicas. */
async function sumOf(planes: readonly ServedPlane[], name: string): Promise<number> {
  const texts = await Promise.all(
    planes.map(async ({ url }) => (await fetch(`${url.replace(/^ws/, 'http')}/metrics`)).text()),
  );
  const valueIn = (text: string): number =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? NaN);
  return texts.reduce((sum, text) => sum + valueIn(text), 0);
}

function clientOf({ url }: ServedPlane, state: string): ControlClient {
  return new ControlClient({ url, token: readFileSync(adminTokenFile(state), 'utf8').trim() }).start();
}

async function medianOf(act: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    const begun = performance.now();
    await act();
    took.push(performance.now() - begun);
  }
  return quantile(took, 0.5);
}
