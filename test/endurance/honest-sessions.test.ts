import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { connect, type Client } from '../../lib/index.js';
import { ControlClient } from '../../lib/control/index.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { PlaneProcesses } from '../support/plane-processes.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';
import { ATTACKS, type Target } from './attacks.js';

const SESSIONS = 10;
/** How long each attack lasts: `ACHERON_SOAK_MS=60000`. */
const ATTACK_MS = Number(process.env['ACHERON_SOAK_MS'] ?? 8_000);
/** What an attack may make of the 99th percentile of a quiet time. */
const MOST_TIMES = 4;
/** How long an honest session pauses between two requests, as people and scripts do. */
const PAUSE_MS = 10;

/** Ten honest sessions, each doing what mounts and shells do. */
class Honest {
  readonly #clients: readonly Client[];
  readonly #control: ControlClient;

  constructor(clients: readonly Client[], control: ControlClient) {
    this.#clients = clients;
    this.#control = control;
  }

  /** The milliseconds of every request in `ms`, and how many failed. */
  async live(ms: number): Promise<{ p50: number; p99: number; count: number; failed: string[] }> {
    const took: number[] = [];
    const failed: string[] = [];
    const until = performance.now() + ms;
    const one = async (act: () => Promise<unknown>): Promise<void> => {
      const start = performance.now();
      await act().catch((thrown: unknown) => failed.push(String(thrown)));
      took.push(performance.now() - start);
      await delay(PAUSE_MS);
    };
    await Promise.all(
      this.#clients.map(async (client, n) => {
        for (let round = 0; performance.now() < until; round++) {
          await one(() => this.#control.request('ping', {}));
          await one(() => client.read('/nodes/n1/services/honest/status.json'));
          await one(() => client.list('/nodes/n1/services'));
          await one(() => client.read('/nodes/NODES.json'));
          if (round % 4 === 0) await one(() => client.invoke('n1/honest', { text: `${n}` }));
        }
      }),
    );
    took.sort((a, b) => a - b);
    const at = (part: number): number => took[Math.min(took.length - 1, Math.floor(took.length * part))]!;
    return { p50: at(0.5), p99: at(0.99), count: took.length, failed };
  }
}

t.test('ten honest sessions are served while each attack runs', { timeout: 3_600_000 }, async (t) => {
  const plane = await PlaneProcesses.start(t);
  const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();
  const admin = new ControlClient({ url: plane.url, token }).start();
  t.teardown(() => admin.close());
  await admin.ready();
  const invite = async (): Promise<string> => (await admin.request('node_invite_create', {})).invite_token;
  const slow = { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } } };
  const node = plane.node('n1', [
    shellManifest('honest', '', {
      runtime: { executable_path: 'cat', args: [], mode: 'warm', warm_count: 4 },
    }),
    shellManifest('slow', 'cat', { schema: { input: slow } }),
  ]);
  node.start(await invite());
  await until(async () =>
    (await admin.request('node_list', {})).nodes.some(({ state }) => state === 'online'),
  );
  const joined = await admin.request('node_join', { node_name: 'evil', invite_token: await invite() });
  const evil = { node_id: joined.node_id!, node_secret: joined.node_secret! };
  const bait = { service_id: 'bait', kind: 'test', permissions: { allow_roles: ['admin', 'user'] } };
  await admin.request('node_service_upsert', { ...evil, services: [bait] });

  const mallory = join(node.dir, 'mallory.token');
  writeFileSync(mallory, (await admin.request('token_create', { role: 'user', agent_id: 'mallory' })).token, {
    mode: 0o600,
  });
  const target: Target = { url: plane.url, userTokenFile: mallory, evil };
  const clients = await Promise.all(
    Array.from({ length: SESSIONS }, async (_, n) => {
      const made = await admin.request('token_create', { role: 'user', agent_id: `honest-${n}` });
      const client = await connect({ url: plane.url, token: made.token });
      t.teardown(() => client.close());
      return client;
    }),
  );
  const honest = new Honest(clients, admin);
  await honest.live(2_000);
  for (const name of Object.keys(ATTACKS)) {
    const quiet = await honest.live(Math.min(ATTACK_MS, 10_000));
    const attacker = fork(join(import.meta.dirname, 'attacker-program.js'), [name, JSON.stringify(target)], {
      env: cleanEnvironment(),
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(attacker, 'spawn');
    const attacked = await honest.live(ATTACK_MS);
    const isRunning = attacker.exitCode === null;
    attacker.kill('SIGKILL');
    await once(attacker, 'exit');
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${plane.control.child.pid!}/status`, 'utf8'))![1];
    const times = attacked.p99 / quiet.p99;
    const figures =
      `p50 ${quiet.p50.toFixed(1)} -> ${attacked.p50.toFixed(1)} ms, p99 ${quiet.p99.toFixed(1)} -> ` +
      `${attacked.p99.toFixed(1)} ms (${times.toFixed(1)} x), ${attacked.count} requests, plane ${Math.round(Number(rss) / 1024)} MiB`;
    t.comment(`${name}: ${figures}`);
    t.ok(isRunning, `${name}: the attacker attacked to the end`);
    t.same(attacked.failed.slice(0, 3), [], `${name}: no honest request failed`);
    t.ok(times < MOST_TIMES, `${name}: ${figures}`);
  }
});
