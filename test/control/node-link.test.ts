import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { faultOf, NodeLink, type CatalogEvent, type NodeLinkOptions } from '../../lib/control/index.js';
import { planeFor, type PlaneUnderTest } from '../support/plane.js';
import { until } from '../support/until.js';
import { descriptor, temporaryDir } from '../support/store.js';

interface Teardown {
  teardown(callback: () => void): void;
}

function linkFor(t: Teardown, under: PlaneUnderTest, more: Partial<NodeLinkOptions> = {}): NodeLink {
  const link = new NodeLink({
    url: under.url,
    stateFile: join(temporaryDir(t), 'node.json'),
    nodeName: 'n1',
    platform: { os: 'linux' },
    labels: { rack: '7' },
    pair: { mode: 'request' },
    minDelayMs: 10,
    maxDelayMs: 50,
    pairPollMs: 10,
    snapshot: () => ({ services: [descriptor('echo')] }),
    ...more,
  });
  t.teardown(() => link.close());
  return link;
}

async function inviteFor(under: PlaneUnderTest): Promise<{ mode: 'invite'; token: string }> {
  const admin = await under.admin();
  const { invite_token } = await admin.request('node_invite_create', {});
  return { mode: 'invite', token: invite_token };
}

t.test('a node pairs by an invite, keeps its secrets to itself, and registers what it offers', async (t) => {
  const under = await planeFor(t);
  const stateFile = join(temporaryDir(t), 'node.json');
  const link = linkFor(t, under, { stateFile, pair: await inviteFor(under) });
  const registered = new Promise((resolve) => link.registered.on(resolve));
  t.equal(await link.start(), 'n1');
  t.match(await registered, { changed: true, added: [{ service_id: 'echo' }] });
  t.equal(statSync(stateFile).mode & 0o777, 0o600);
  t.equal(JSON.parse(readFileSync(stateFile, 'utf8')).format, 1);
  const admin = await under.admin();
  t.match(await admin.request('node_get', { node_id: 'n1' }), {
    state: 'online',
    labels: { rack: '7' },
    services: 1,
  });
  t.throws(() => linkFor(t, under, { stateFile }), { code: 'EBUSY', hint: /--state-file/ });
});

t.test(
  'a node that asks waits until an admin who sees the same code approves, and is given credentials once',
  async (t) => {
    const under = await planeFor(t);
    let code = '';
    const link = linkFor(t, under, { onVerificationCode: (shown) => (code = shown) });
    const started = link.start();
    const admin = await under.admin();
    await until(() => code !== '');
    const { pending } = await admin.request('node_join_pending_list', {});
    t.match(pending, [{ verification_code: code, node_name: 'n1', address: '127.0.0.1' }]);
    await admin.request('node_join_approve', { request_id: pending[0]!.request_id });
    t.equal(await started, 'n1');
    const stranger = under.client(undefined);
    t.match(await stranger.ready(), { bootstrap_only: true, role: 'none' });
    const again = stranger.request('node_join', { request_id: pending[0]!.request_id, request_secret: 'x' });
    t.equal(await again.catch((error: unknown) => faultOf(error)?.code), 'forbidden');
    t.equal(
      await stranger.request('node_list', {}).catch((error: unknown) => faultOf(error)?.code),
      'forbidden',
    );
  },
);

t.test('a bad invite ends the attempt, and so does a deleted node', async (t) => {
  const under = await planeFor(t);
  await t.rejects(linkFor(t, under, { pair: { mode: 'invite', token: 'guess' } }).start(), {
    code: 'EACCES',
  });
  const link = linkFor(t, under, { pair: await inviteFor(under) });
  await link.start();
  const admin = await under.admin();
  await until(() => link.isConnected);
  await admin.request('node_delete', { node_id: 'n1' });
  link.changed();
  t.match(await link.ended, { code: 'EACCES', hint: /pair again/ });
});

t.test('what changes while an upsert is under way is sent after it, as it is then', async (t) => {
  const under = await planeFor(t);
  let version = 1;
  const link = linkFor(t, under, {
    pair: await inviteFor(under),
    snapshot: () => ({ services: [descriptor('echo', { version: String(version) })] }),
  });
  await link.start();
  const admin = await under.admin();
  const versionOf = (): string | undefined =>
    under.plane.store.nodes.get('n1')?.services.get('echo')?.version;
  await until(() => versionOf() === '1');
  for (; version < 20;) {
    version++;
    link.changed();
  }
  await until(() => versionOf() === '20');
  await under.restart();
  version = 21;
  link.changed();
  await until(() => versionOf() === '21', 'the catalog after a restart');
  t.match(await (await under.admin()).request('node_get', { node_id: 'n1' }), { state: 'online' });
  admin.close();
});

t.test(
  'a lease that is not refreshed ends: the node turns offline, an event says so, and it comes back',
  async (t) => {
    const under = await planeFor(t, { limits: { offlineGraceMs: 60_000 } });
    const admin = await under.admin();
    const { invite_token } = await admin.request('node_invite_create', {});
    const joined = await admin.request('node_join', { invite_token, node_name: 'n1', lease_ttl_ms: 1_000 });
    const kinds: string[] = [];
    admin.watch({ onEvent: ({ kind }) => kinds.push(kind) });
    const lease = { node_id: 'n1', lease_token: joined.lease_token! };
    await admin.request('node_lease_refresh', lease);
    await until(() => kinds.includes('node_offline'));
    t.match(await admin.request('node_get', { node_id: 'n1' }), { state: 'offline' });
    await admin.request('node_lease_refresh', { ...lease, lease_ttl_ms: 60_000 });
    await until(() => kinds.length === 3);
    t.same(kinds, ['node_online', 'node_offline', 'node_online']);
  },
);

t.test('[P] what an older epoch still sends is refused (stale_epoch), naming the successor', async (t) => {
  const under = await planeFor(t);
  const admin = await under.admin();
  const { invite_token } = await admin.request('node_invite_create', {});
  const joined = await admin.request('node_join', { invite_token, node_name: 'n1' });
  const connect = { node_id: 'n1', node_secret: joined.node_secret! };
  const first = under.client(undefined, { connect: () => ({ ...connect, instance_id: 'one' }) });
  const old = (await first.ready()).node!.epoch;
  const second = under.client(undefined, { connect: () => ({ ...connect, instance_id: 'two' }) });
  t.equal((await second.ready()).node!.epoch, old + 1);
  const upsert = first.request('node_service_upsert', {
    ...connect,
    epoch: old,
    services: [descriptor('stale')],
  });
  const fault = await upsert.catch((error: unknown) => faultOf(error));
  t.match(fault, {
    code: 'stale_epoch',
    details: { current_epoch: old + 1, successor: { instance_id: 'two' } },
  });
  const lease = await first
    .request('node_lease_refresh', { ...connect, epoch: old })
    .catch((error: unknown) => faultOf(error));
  t.match(lease, { code: 'stale_epoch' });
  t.equal(under.plane.store.nodes.get('n1')!.services.size, 0);
  await second.request('node_service_upsert', {
    ...connect,
    epoch: old + 1,
    services: [descriptor('fresh')],
  });
  t.equal(under.plane.store.nodes.get('n1')!.services.size, 1);
});

t.test('a node that another process took over stops and names it, instead of fighting', async (t) => {
  const under = await planeFor(t);
  const stateFile = join(temporaryDir(t), 'node.json');
  const link = linkFor(t, under, { stateFile, pair: await inviteFor(under) });
  await link.start();
  await until(() => link.isConnected);
  const copy = join(temporaryDir(t), 'copy.json');
  writeFileSync(copy, readFileSync(stateFile));
  const twin = linkFor(t, under, { stateFile: copy });
  await twin.start();
  t.match(await link.ended, { code: 'ESTALE', message: /taken over by another process \(i-\w+ at 127/ });
  await until(() => twin.isConnected && under.plane.store.nodes.get('n1')!.epoch === twin.epoch);
  t.equal(under.plane.store.nodes.get('n1')!.online, true);
});

/** An attempt of the node's own, whose answer it never gets; answers the epoch that it has. */
async function overtake(under: PlaneUnderTest, stateFile: string): Promise<number> {
  const { node_id, node_secret } = JSON.parse(readFileSync(stateFile, 'utf8')).credentials;
  const { instance_id } = under.plane.store.nodes.get('n1')!.holder!;
  const lost = under.client(undefined, { connect: () => ({ node_id, node_secret, instance_id }) });
  const { epoch } = (await lost.ready()).node!;
  lost.close();
  return epoch;
}

t.test(
  'a node that was overtaken by an attempt of its own, whose answer it never had, connects again',
  async (t) => {
    const under = await planeFor(t);
    const stateFile = join(temporaryDir(t), 'node.json');
    const link = linkFor(t, under, { stateFile, pair: await inviteFor(under) });
    const registered = new Promise((resolve) => link.registered.on(resolve));
    await link.start();
    await registered;
    const epoch = await overtake(under, stateFile);
    t.equal(epoch, link.epoch + 1);
    const again = new Promise((resolve) => link.registered.on(resolve));
    link.changed();
    await again;
    t.equal(link.epoch, epoch + 1);
    await until(() => under.plane.store.nodes.get('n1')!.online);
  },
);

t.test('it connects again within moments, also where it has nothing to send', async (t) => {
  const under = await planeFor(t);
  const stateFile = join(temporaryDir(t), 'node.json');
  const link = linkFor(t, under, { stateFile, pair: await inviteFor(under), refreshIntervalMs: 60_000 });
  const registered = new Promise((resolve) => link.registered.on(resolve));
  await link.start();
  await registered;
  const epoch = await overtake(under, stateFile);
  await until(() => link.epoch === epoch + 1, 'a connection of its own again');
  await until(() => under.plane.store.nodes.get('n1')!.online);
});

t.test('[P] a watch never loses, doubles or reorders an event across reconnects', async (t) => {
  const under = await planeFor(t);
  const admin = await under.admin();
  const user = await under.user();
  const heard = new Map<string, CatalogEvent[]>([
    ['admin', []],
    ['user', []],
  ]);
  const begun = Promise.all(
    [admin, user].map(
      (client, n) =>
        new Promise<void>((resolve) => {
          client.watch({
            onBegin: resolve,
            onEvent: (event) => heard.get(n === 0 ? 'admin' : 'user')!.push(event),
          });
        }),
    ),
  );
  const link = linkFor(t, under, {
    pair: await inviteFor(under),
    snapshot: () => ({
      services: [
        descriptor('echo', { version: String(version) }),
        descriptor('no', { permissions: {}, version: String(version) }),
      ],
    }),
  });
  let version = 0;
  await begun;
  await link.start();
  const versionOf = (): string | undefined =>
    under.plane.store.nodes.get('n1')?.services.get('echo')?.version;
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 5; n++) {
      version++;
      link.changed();
      await until(() => versionOf() === String(version), `version ${version}`);
    }
    await under.restart();
  }
  const head = under.plane.store.events.head;
  await until(() => heard.get('admin')!.at(-1)?.revision === head, 'the last event');
  const heardVersion = (event: CatalogEvent): boolean =>
    event.service_delta?.updated.some((entry) => entry.version === String(version)) === true;
  await until(() => heard.get('user')!.some(heardVersion), "the user's last event");
  for (const [who, events] of heard) {
    t.same(
      events.map(({ seq }) => seq),
      events.map((_, n) => n + 1),
      `${who}: contiguous`,
    );
    const versions = events.flatMap(({ service_delta: delta }) =>
      delta === undefined ? [] : [...delta.added, ...delta.updated],
    );
    const own = versions
      .filter(({ service_id }) => service_id === 'echo')
      .map((entry) => Number(entry.version));
    t.same(
      own,
      Array.from({ length: own.length }, (_, n) => own[0]! + n),
      `${who}: every version once, in order`,
    );
    t.equal(own.at(-1), version);
  }
  t.notMatch(JSON.stringify(heard.get('user')), /"no"/);
});

t.test('a revision that was compacted is answered so, with the oldest kept', async (t) => {
  const under = await planeFor(t, { retention: { maxEvents: 5 } });
  const node = under.plane.attachInProcessNode({ nodeName: 'n1', platform: null, labels: {} });
  for (let n = 0; n < 20; n++) node.upsert([descriptor('a', { version: String(n) })]);
  under.plane.store.events.compact();
  const admin = await under.admin();
  const fault = await admin
    .request('node_service_watch', { since_revision: 2 })
    .catch((error: unknown) => faultOf(error));
  t.match(fault, { code: 'compacted', details: { oldest_revision: under.plane.store.events.oldest } });
});
