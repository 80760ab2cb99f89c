import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ControlClient, type CatalogEvent } from '../../lib/control/index.js';
import { SEED, extent } from '../support/extent.js';
import { seededRandom } from '../support/faulty-transport.js';
import { mountDirFor } from '../support/mount-child.js';
import {
  inviteThrough,
  linesOf,
  PlaneProcesses,
  Program,
  readJson,
  shell,
  untilOnline,
} from '../support/plane-processes.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryDir, shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

/** How long faults go on, and which: `ACHERON_FAULT_SECONDS=300 ACHERON_TEST_SEED=7`. */
const SECONDS = extent('ACHERON_FAULT_SECONDS', { short: 5, long: 300 });
/** What has to happen takes moments; a loaded machine takes longer, and one that forgot it would never. */
const CONVERGE_MS = 15_000;

t.setTimeout((SECONDS + 300) * 1000);

const random = seededRandom(SEED);
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

// Nodes and mounts reach the control plane through a network that fails; the control plane keeps its port.
const plane = await PlaneProcesses.start(t);
const port = new URL(plane.url).port;
const proxy = await TcpProxy.start(() => Number(port));
t.teardown(() => proxy.close());
plane.url = proxy.url;

class Mount {
  readonly dir = mountDirFor(t);
  #program: Program | undefined;

  async start(): Promise<this> {
    const state = join(this.dir, '..', 'state');
    this.#program = new Program(t, ['mount', this.dir, ...plane.as('admin'), '--state-dir', state]);
    await this.#program.says(/Mounted on/);
    return this;
  }
  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }
  service(file: string): string {
    return join(this.dir, 'nodes/n1/services/ledger', file);
  }
}

const mounts = await Promise.all([new Mount().start(), new Mount().start()]);
const node = plane.node('n1', []);
const runs = join(temporaryDir(t), 'runs');
node.write(
  shellManifest(
    'ledger',
    // Whoever is killed while it hands over a payload leaves its driver with a part of it, or with none.
    `p=$(cat); case $p in '{'*'}') ;; *) exit 65 ;; esac; printf '%s %s\\n' "$ACHERON_CALL_INVOCATION_ID" "$p" >> ${runs}; echo "$p"`,
  ),
);
node.start(await inviteThrough(mounts[0].dir));
for (const { dir } of mounts) await untilOnline(dir, 'n1');

const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();
const admin = new ControlClient({ url: proxy.url, token, minDelayMs: 20, maxDelayMs: 200 }).start();
t.teardown(() => admin.close());
await admin.ready();
const events: CatalogEvent[] = [];
const resets: string[] = [];
admin.watch({
  sinceRevision: 0,
  onEvent: (event) => events.push(event),
  onReset: (why) => resets.push(why),
});

/** One call, as a shell makes it. True: its success was acknowledged. */
async function invoke(mount: Mount, key: string): Promise<boolean> {
  const request = JSON.stringify({ _key: key, key });
  const { status, stderr } = await shell(`echo '${request}' > ${mount.service('control/invoke.json')}`);
  if (status === 0) return true;
  const reason = stderr.trim().split(': ').at(-1) ?? '';
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return false;
}

let loading = true;
/** Why calls failed, and how often. */
const reasons = new Map<string, number>();
const acknowledged: string[] = [];
const failed: string[] = [];
const config = { tried: 0, acknowledged: 0 };
const projects: string[] = [];

async function callAll(mount: Mount, name: string): Promise<void> {
  for (let n = 0; loading; n++) {
    const key = `${name}-${n}`;
    let done = await invoke(mount, key);
    // A key makes a second try safe: it gives the outcome of the first, or runs what never began.
    if (!done && n % 2 === 0) done = await invoke(mount, key);
    (done ? acknowledged : failed).push(key);
    if (!done) await delay(100);
  }
}

async function configure(mount: Mount): Promise<void> {
  while (loading) {
    const n = ++config.tried;
    const { status } = await shell(`echo '{"n":${n}}' > ${mount.service('config.json')}`);
    if (status === 0) config.acknowledged = n;
    await delay(50);
  }
}

async function administer(): Promise<void> {
  for (let n = 0; loading; n++) {
    await admin.request('project_create', { project_id: `p${n}` }).then(
      () => projects.push(`p${n}`),
      () => undefined, // it was not acknowledged: nothing is promised
    );
    await delay(20);
  }
}

/** What was killed is started again, and the fault is over once that process runs. */
const FAULTS: Readonly<Record<string, () => Promise<void> | void>> = {
  cut: () => proxy.cut(),
  tear: () => proxy.tear(),
  stall: () => {
    const ms = 100 + random() * 700;
    proxy.stall(ms);
    return delay(ms);
  },
  slow: () => {
    proxy.slow(5 + random() * 40, 500);
    return delay(500);
  },
  'kill the control plane': async () => {
    await plane.control.end('SIGKILL');
    await plane.startControl(port);
    plane.url = proxy.url;
  },
  'kill the node': async () => {
    await node.program.end('SIGKILL');
    await delay(random() * 200);
    await node.start().program.says(/Node n1 is running/);
  },
  'kill a mount': async () => {
    const mount = pick(mounts);
    await mount.kill();
    await mount.start();
  },
};

/** Whether all is as it was: each mount shows the node and reaches it. */
async function hasConverged(): Promise<boolean> {
  const all = await Promise.all(
    mounts.map(async (mount, i) => invoke(mount, `converged-${i}-${performance.now()}`)),
  );
  return all.every(Boolean);
}

t.test(
  'kill -9, cuts and stalls lose no acknowledged change and no event, run nothing twice, and wedge no mount',
  async (t) => {
    const load = [
      ...mounts.flatMap((mount, i) => [callAll(mount, `a${i}`), callAll(mount, `b${i}`)]),
      configure(mounts[0]),
      administer(),
    ];
    const done: string[] = [];
    const names = Object.keys(FAULTS);
    for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs;) {
      // Each kind of fault comes at least once, then at random.
      const name = names[done.length] ?? pick(names);
      done.push(name);
      await FAULTS[name]!();
      await delay(100 + random() * 1200);
    }
    // Faults and load end together: what is measured is how soon all is well, not how fast the machine is.
    const lastFaultMs = performance.now();
    loading = false;
    await until(hasConverged, 'both mounts to reach the node');
    const convergedMs = performance.now() - lastFaultMs;
    const wedged = delay(20_000).then(() => 'wedged');
    t.not(await Promise.race([Promise.all(load), wedged]), 'wedged', 'every call of the load has ended');
    t.comment(`${done.length} faults: ${done.join(', ')}`);
    t.comment(
      `${acknowledged.length} calls acknowledged, ${failed.length} not; ${projects.length} projects; config ${config.acknowledged} of ${config.tried}; converged in ${Math.round(convergedMs)} ms`,
    );
    t.comment(`failures: ${JSON.stringify([...reasons])}`);
    t.ok(convergedMs < CONVERGE_MS, `converged ${Math.round(convergedMs)} ms after the last fault`);
    t.ok(acknowledged.length > 0, `${acknowledged.length} calls were acknowledged`);

    const lines = linesOf(runs).map((line) => {
      const [id, text] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
      return { id, key: (JSON.parse(text) as { key: string }).key };
    });
    const ran = new Map<string, number>();
    for (const { key } of lines) ran.set(key, (ran.get(key) ?? 0) + 1);
    t.strictSame(
      [...ran].filter(([, count]) => count > 1),
      [],
      'no key ran twice',
    );
    t.equal(new Set(lines.map(({ id }) => id)).size, lines.length, 'no invocation ran twice');
    t.strictSame(
      acknowledged.filter((key) => !ran.has(key)),
      [],
      'what was acknowledged has run',
    );
    const newest = acknowledged.slice(-10);
    for (const key of newest) {
      const status = await readJson(mounts[0].service(`jobs/by-key/${key}/status.json`));
      t.equal(status.state, 'ok', `the outcome of ${key} is found`);
    }
    for (const mount of mounts) {
      const { n } = await readJson<{ n: number }>(mount.service('config.json'));
      t.ok(n >= config.acknowledged && n <= config.tried, `config ${n}`);
    }

    const { projects: found } = await admin.requestAll('project_list', {});
    const there = new Set(found.map(({ project_id }) => project_id));
    t.strictSame(
      projects.filter((id) => !there.has(id)),
      [],
      'acknowledged projects are there',
    );
    const { revision } = await admin.request('node_service_watch', {});
    await until(() => (events.at(-1)?.revision ?? 0) >= revision, 'the last event');
    t.strictSame(resets, [], 'the watch was never reset');
    t.strictSame(
      events.map((event) => event.revision),
      events.map((_, n) => n + 1),
      'every revision once, in order',
    );

    // As people look at a mount: whatever hangs is cut off by timeout(1), with status 124.
    // Of jobs and projects, one: a long run leaves more of them than can be read in that time.
    await Promise.all(
      mounts.map(async (mount) => {
        const some = `${mount.service('jobs/latest/')} ${mount.dir}/projects/${projects[0] ?? ''}`;
        const all = `grep -r --exclude-dir=jobs --exclude-dir=projects 'no such text' ${mount.dir} ${some}`;
        const { status, stderr } = await shell(`timeout 30 ${all}`);
        t.equal(status, 1, `the mount can be read: ${stderr.slice(0, 300)}`);
      }),
    );
  },
);
