import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import { extent } from '../support/extent.js';
import { PlaneProcesses, inviteThrough, readJson, shell, untilOnline } from '../support/plane-processes.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

interface Recorded {
  readonly audit_id: number;
  readonly origin: string;
  readonly record_id: string;
  readonly act: string;
  readonly outcome: string;
  readonly role: string | null;
  readonly agent_id: string | null;
  readonly service_id?: string;
  readonly payload_hash?: string;
  readonly invocation_id?: string;
  readonly state?: string;
}

/** How many times the plane or the node is killed under load; more find more. */
const ROUNDS = extent('ACHERON_KILLS', { short: 2, long: 40 });

t.setTimeout(300_000 + 20_000 * ROUNDS);

const plane = await PlaneProcesses.start(t);
const mount = await plane.mount();
const user = await plane.mount('user');
const node = plane.node('n1', [
  shellManifest('echo', 'cat'),
  shellManifest('fail', 'cat >/dev/null; exit 3'),
  shellManifest('fragile', 'cat >/dev/null; exit 3'),
]);
node.start(await inviteThrough(mount));
await untilOnline(mount, 'n1');
await until(async () => (await readdir(`${user}/nodes/n1/services`)).includes('echo'), 'the services');

const at = (mount: string, id: string, file: string): string => `${mount}/nodes/n1/services/${id}/${file}`;
const invoke = (mount: string, id: string, payload: string): ReturnType<typeof shell> =>
  shell(`echo '${payload}' > ${at(mount, id, 'control/invoke.json')}`);

const admin = new ControlClient({
  url: plane.url,
  token: readFileSync(plane.tokenFile('admin'), 'utf8').trim(),
});
t.teardown(() => admin.close());
admin.start();

/** The audit log of the control plane. */
async function audit(): Promise<Recorded[]> {
  const { records } = await admin.request('audit_tail', { limit: 10_000 });
  return records as unknown as Recorded[];
}

async function recorded(what: Partial<Recorded>, count = 1): Promise<Recorded[]> {
  let found: Recorded[] = [];
  await until(
    async () => {
      found = (await audit()).filter((record) =>
        Object.entries(what).every(([key, value]) => record[key as keyof Recorded] === value),
      );
      return found.length >= count;
    },
    `${count} of ${JSON.stringify(what)}`,
  );
  return found;
}

const eventsAt = async (mount: string): Promise<Record<string, unknown>[]> =>
  (await shell(`cat ${mount}/events.ndjson`)).stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

t.test('[P] the control plane has each invocation, control write and denial of its nodes', async (t) => {
  t.equal((await invoke(user, 'echo', '{"n":1}')).status, 0);
  t.not((await invoke(mount, 'fail', '{"n":1}')).status, 0);
  t.not((await invoke(user, 'echo', '{"n":1} rubbish')).status, 0);
  t.not((await shell(`echo 1 > ${at(user, 'echo', 'control/disable')}`)).status, 0);
  t.equal((await shell(`echo '{"a":1}' > ${at(mount, 'echo', 'config.json')}`)).status, 0);
  const [began] = await recorded({ act: 'invoke', service_id: 'echo', outcome: 'accepted' });
  t.match(began, { origin: 'n1', role: 'user', agent_id: null, payload_hash: /^[0-9a-f]{64}$/ });
  const [ended] = await recorded({ act: 'invoke', service_id: 'echo', outcome: 'ok' });
  t.match(ended, { invocation_id: began!.invocation_id, state: 'ok', role: 'user' });
  t.match(await recorded({ service_id: 'fail', outcome: 'EIO' }), [{ role: 'admin', state: 'error' }]);
  t.match(await recorded({ service_id: 'echo', outcome: 'EINVAL' }), [{ role: 'user' }]);
  t.match(await recorded({ outcome: 'denied', origin: 'n1' }), [{ act: 'control', role: 'user' }]);
  t.match(await recorded({ act: 'control/config' }), [{ role: 'admin', outcome: 'ok' }]);
  const stream = await shell(`cat ${mount}/control/audit.ndjson`);
  t.match(stream.stdout, /"at":"20[^"]*Z",.*"origin":"n1"/);
  t.notMatch(stream.stdout, /"n":1/, 'no payload');
  t.not((await shell(`cat ${user}/control/audit.ndjson`)).status, 0);
  const { stdout } = await plane.run(['audit', ...plane.as('admin')]);
  t.match(stdout, /n1 invoke accepted .*service_id=echo/);
});

t.test(
  'how an invocation ended is shown to its own caller and to admins; health and controls to all',
  async (t) => {
    const mine = ({ type, service_id: id }: Record<string, unknown>): boolean =>
      type === 'invocation_finished' && id === 'fragile';
    t.equal(
      (
        await shell(
          `echo '{"supervision":{"max_consecutive_failures":1,"cooldown_ms":60000}}' > ${at(mount, 'fragile', 'config.json')}`,
        )
      ).status,
      0,
    );
    t.not((await invoke(mount, 'fragile', '{}')).status, 0);
    await until(async () => (await eventsAt(mount)).some(mine), 'the end, at the admin');
    await until(
      async () =>
        (await eventsAt(user)).some(({ type, to }) => type === 'service_health' && to === 'degraded'),
      'the change of health, at the user',
    );
    const seen = await eventsAt(user);
    t.match(
      seen.filter(({ type }) => type === 'service_control'),
      [{ service_id: 'echo' }, { service_id: 'fragile', op: 'config' }],
    );
    t.notOk(seen.some(mine), "not another principal's");
    t.ok(seen.some(({ type, service_id: id }) => type === 'invocation_finished' && id === 'echo'));
    t.notMatch(JSON.stringify(seen), /"by"/);
    const services = await readJson<readonly { service_id: string; state: string }[]>(
      `${user}/nodes/n1/services/SERVICES.json`,
    );
    t.match(
      services.find(({ service_id: id }) => id === 'fragile'),
      { state: 'degraded' },
    );
    t.match(await readJson(`${user}/nodes/n1/STATUS.json`), { services: { total: 3, degraded: 1 } });
  },
);

t.test('[P] what a node records while it is alone is there once it is back, each record once', async (t) => {
  const alone = (): ReturnType<typeof shell> =>
    plane.run(['invoke', 'echo', '{"alone":true}', '--state-dir', join(node.dir, 'state')]);
  await plane.control.end('SIGKILL');
  t.equal((await alone()).status, 0, 'it goes on by itself');
  await node.program.end('SIGKILL');
  node.start();
  await until(async () => (await alone()).status === 0, 'the node, still alone');
  await plane.startControl();
  await untilOnline(mount, 'n1');
  const payloads = new Map<string, number>();
  for (const { payload_hash: hash } of await recorded({ service_id: 'echo', outcome: 'accepted' }, 3))
    payloads.set(hash!, (payloads.get(hash!) ?? 0) + 1);
  t.strictSame([...payloads.values()], [1, 2]);
});

t.test('[P] kill -9 of the plane and the node, again and again: no record lost, none doubled', async (t) => {
  let stopped = false;
  const acknowledged: string[] = [];
  const call = async (n: number): Promise<void> => {
    const job = at(mount, 'echo', `jobs/by-key/k${n}`);
    const { status } = await invoke(mount, 'echo', `{"_key":"k${n}","n":${n}}`);
    if (status === 0) acknowledged.push(job);
  };
  const calling = (async () => {
    for (let n = 0; !stopped; n++) await call(n);
  })();
  for (let round = 0; round < ROUNDS; round++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + 300 * Math.random()));
    const before = acknowledged.length;
    if (round % 2 === 0) {
      await plane.control.end('SIGKILL');
      await plane.startControl();
    } else {
      await node.program.end('SIGKILL');
      node.start();
    }
    await untilOnline(mount, 'n1');
    await until(() => acknowledged.length > before, 'a call that works again');
  }
  stopped = true;
  await calling;
  // What comes last in the node's log comes last here: with it all the others are there.
  t.equal((await invoke(mount, 'echo', '{"last":1}')).status, 0);
  const jobs = await readdir(at(mount, 'echo', 'jobs'));
  const invocations = jobs.filter((name) => name !== 'by-key' && name !== 'latest').sort();
  await recorded({ act: 'invoke', invocation_id: invocations.at(-1)!, outcome: 'ok' });
  const all = await audit();
  t.ok(invocations.length > 5, `${invocations.length} invocations, ${acknowledged.length} acknowledged`);
  for (const id of invocations) {
    const own = all.filter(({ invocation_id: of }) => of === id);
    const { state, errno } = await readJson(at(mount, 'echo', `jobs/${id}/status.json`));
    const ends = [state === 'ok' ? 'ok' : errno];
    const wasRun = own[0]?.outcome === 'accepted';
    t.strictSame(
      own.map(({ outcome }) => outcome),
      wasRun ? ['accepted', ...ends] : ends,
      id,
    );
  }
  t.equal(new Set(all.map(({ origin, record_id: id }) => `${origin} ${id}`)).size, all.length);
  t.strictSame(
    all.map(({ audit_id: id }) => id),
    all.map((_, index) => index + 1),
    'without gaps',
  );
});

t.test('reload.json of a node at a distance: which file, which error, what changed', async (t) => {
  const reload = `${mount}/control/nodes/n1/reload.json`;
  type Entry = Record<string, unknown> & { readonly file: string };
  const entry = async (): Promise<Entry | undefined> =>
    (await readJson<{ files: readonly Entry[] }>(reload)).files.find(({ file }) =>
      file.endsWith('echo.json'),
    );
  const before = (await entry())!;
  node.write(shellManifest('echo', 'cat', { version: '2' }));
  await until(async () => (await entry())?.version === '2', 'the new version');
  t.match(await entry(), {
    state: 'ok',
    previous_version: '1',
    previous_digest: before.digest as string,
    changed: ['version'],
  });
  t.not((await entry())!.digest, before.digest);
  node.write({ service_id: 'echo', kind: 7 });
  await until(async () => (await entry())?.state === 'last_good', 'the fault');
  t.match(await entry(), { version: '2', faults: [{ pointer: '/kind', line: 1 }] });
  await until(
    async () =>
      (await eventsAt(mount)).some(
        ({ type, reload }) => type === 'node_reload' && /last_good/.test(JSON.stringify(reload)),
      ),
    'the event',
  );
  t.notOk((await eventsAt(user)).some(({ type }) => type === 'node_reload'));
  t.equal((await invoke(user, 'echo', '{"still":true}')).status, 0);
});
