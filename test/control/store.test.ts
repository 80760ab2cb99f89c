import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ControlStore, type ViewEvent } from '../../lib/control/index.js';
import { descriptor, FACTS, storeFor } from '../support/store.js';

t.test('the first start writes an admin and a user token, mode 0600, and the next start none', async (t) => {
  const under = storeFor(t);
  const { stateDir } = under.options;
  const text = readFileSync(join(stateDir, 'admin.token'), 'utf8').trim();
  for (const file of ['admin.token', 'user.token', 'control.db'])
    t.equal(statSync(join(stateDir, file)).mode & 0o777, 0o600, file);
  t.equal(under.store.tokens.verify(text)?.record.role, 'admin');
  t.equal(under.reopen().tokens.list().length, 2);
  t.equal(under.store.tokens.verify(text)?.record.role, 'admin');
});

t.test('only a hash of a token is stored', async (t) => {
  const under = storeFor(t);
  const { token } = under.store.tokens.create({ role: 'user', agentId: 'a1' });
  const secret = token.slice(-43);
  under.store.close();
  for (const name of readdirSync(under.options.stateDir).filter((file) => file.startsWith('control.db')))
    t.notOk(readFileSync(join(under.options.stateDir, name)).includes(secret), name);
  under.store = new ControlStore(under.options);
});

t.test('a rotated or revoked token is no longer taken, and the last admin token stays', async (t) => {
  const { store } = storeFor(t);
  const made = store.tokens.create({ role: 'admin' });
  const next = store.tokens.rotate(made.record.tokenId);
  t.equal(store.tokens.verify(made.token), undefined);
  t.ok(store.tokens.verify(next.token));
  store.tokens.revoke(made.record.tokenId);
  t.equal(store.tokens.verify(next.token), undefined);
  const last = store.tokens.list().find((token) => token.role === 'admin' && token.revokedAtMs === null)!;
  t.throws(() => store.tokens.revoke(last.tokenId), { code: 'EPERM' });
});

t.test('a newer format is refused untouched, naming the version it needs', async (t) => {
  const under = storeFor(t);
  under.store.close();
  const path = join(under.options.stateDir, 'control.db');
  const bytes = readFileSync(path);
  const format = bytes.readUInt32BE(60);
  bytes.writeUInt32BE(99, 60);
  bytes.writeUInt32BE(2_004_001, 68);
  writeFileSync(path, bytes);
  t.throws(() => new ControlStore(under.options), {
    code: 'EINVAL',
    message: /format 99/,
    hint: /Acheron 2\.4\.1/,
  });
  t.ok(readFileSync(path).equals(bytes));
  bytes.writeUInt32BE(format, 60);
  writeFileSync(path, bytes);
  under.store = new ControlStore(under.options);
});

t.test('a second control plane on the same state is refused', async (t) => {
  const under = storeFor(t);
  t.throws(() => new ControlStore(under.options), { code: 'EBUSY', hint: /--state-dir/ });
});

t.test('a change that fails half-way leaves nothing behind, in memory or on disk', async (t) => {
  const under = storeFor(t);
  const { nodeId } = under.store.nodes.join(FACTS, 60_000);
  const head = under.store.events.head;
  t.throws(() =>
    under.store.change(() => {
      under.store.nodes.upsert(nodeId, [descriptor('a')]);
      under.store.projects.create('p', { nodes: [nodeId] }, false);
      throw new Error('no');
    }),
  );
  t.equal(under.store.nodes.get(nodeId)!.services.size, 0);
  t.equal(under.store.projects.get('p'), undefined);
  t.same(under.store.projects.naming(nodeId), []);
  t.equal(under.store.events.head, head);
  t.equal(under.reopen().nodes.get(nodeId)!.services.size, 0);
});

t.test(
  'an upsert returns what was added, updated and removed, and an equal one changes nothing',
  async (t) => {
    const { store } = storeFor(t);
    const { nodeId } = store.nodes.join(FACTS, 60_000);
    const first = store.nodes.upsert(nodeId, [descriptor('a'), descriptor('b')]);
    t.same(
      first.delta.added.map(({ service_id }) => service_id),
      ['a', 'b'],
    );
    t.equal(first.revision, store.events.head);
    const equal = store.nodes.upsert(nodeId, [
      descriptor('b'),
      descriptor('a', { digest: 'other software' }),
    ]);
    t.equal(equal.changed, false);
    t.equal(store.events.head, first.revision);
    const second = store.nodes.upsert(nodeId, [descriptor('a', { version: '2' })]);
    t.match(second.delta, {
      added: [],
      updated: [{ service_id: 'a', version: '2', previous_version: '1' }],
      removed: [{ service_id: 'b', version: null, previous_version: '1' }],
    });
    t.equal(second.delta.updated[0]!.previous_hash, first.delta.added[0]!.hash);
  },
);

t.test('events have one gap-free revision, and what was compacted is said to be', async (t) => {
  const under = storeFor(t, { retention: { maxEvents: 10 } });
  const { nodeId } = under.store.nodes.join(FACTS, 60_000);
  for (let n = 0; n < 40; n++) under.store.nodes.upsert(nodeId, [descriptor('a', { version: String(n) })]);
  const { events } = under.store;
  t.same(
    events.after(0, 100).map(({ revision }) => revision),
    Array.from({ length: 41 }, (_, n) => n + 1),
  );
  events.compact();
  t.equal(events.oldest, 32);
  t.throws(() => events.after(5, 10), { code: 'EOVERFLOW', hint: /oldest kept is 32/ });
  t.same(
    events.after(31, 3).map(({ revision }) => revision),
    [32, 33, 34],
  );
  const again = under.reopen();
  t.equal(again.events.head, 41);
  again.nodes.upsert(nodeId, []);
  t.equal(again.events.head, 42);
});

t.test('history is kept by size and by age too, and the newest event always', async (t) => {
  let now = 1_000_000;
  const clock = { now: () => now, after: () => () => undefined };
  const { store } = storeFor(t, { clock, retention: { maxBytes: 2_000, maxAgeMs: 1_000 } });
  const { nodeId } = store.nodes.join(FACTS, 60_000);
  for (let n = 0; n < 30; n++) store.nodes.upsert(nodeId, [descriptor('a', { version: String(n) })]);
  store.events.compact();
  t.ok(store.events.recent(100).length < 12);
  now += 10_000;
  store.events.compact();
  t.equal(store.events.recent(100).length, 1);
});

t.test('a view shows its users only what they may see, contiguously, and survives a restart', async (t) => {
  const under = storeFor(t);
  let { store } = under;
  const user = store.tokens.create({ role: 'user', agentId: 'bot' });
  const { hash } = store.tokens.verify(user.token)!;
  const { sessionId } = store.sessions.create(user.record, hash);
  const { nodeId } = store.nodes.join(FACTS, 60_000);
  const view = store.userEvents.of(store.sessions.snapshot(sessionId));
  const heard: ViewEvent[] = [];
  const listen = (): void => void heard.push(...store.userEvents.after(view.id, heard.length, 100));
  store.nodes.upsert(nodeId, [descriptor('open'), descriptor('secret', { permissions: {} })]);
  listen();
  store.nodes.upsert(nodeId, [descriptor('open'), descriptor('secret', { permissions: {}, version: '2' })]);
  store.nodes.setOffline(nodeId, 'test');
  store.nodes.refresh(nodeId);
  store = under.reopen();
  const same = store.userEvents.of(store.sessions.snapshot(sessionId));
  t.equal(same.id, view.id);
  listen();
  store.nodes.upsert(nodeId, [descriptor('open', { permissions: {} }), descriptor('secret')]);
  listen();
  store.projects.create('p', { nodes: [nodeId] }, false);
  listen();
  store.projects.delete('p');
  listen();
  t.same(
    heard.map(({ revision }) => revision),
    heard.map((_, n) => n + 1),
  );
  const ids = (list: unknown): string[] =>
    (list as { service_id: string }[]).map(({ service_id }) => service_id);
  const gist = (events: readonly ViewEvent[]): unknown[] =>
    events.map(({ kind, payload }) =>
      kind === 'services' ? [ids(payload['added']), ids(payload['removed'])] : kind,
    );
  const since = [
    [['secret'], ['open']],
    [[], ['secret']],
    [['secret'], []],
  ];
  t.same(gist(heard), [[['open'], []], 'node_online', ...since]);

  const again = [[[], []], [[], []], [[], ['open']], ...since.slice(1)];
  t.same(
    gist(store.userEvents.after(view.id, 0, 100)),
    again,
    'read later, what was hidden since is left out',
  );
  store = under.reopen();
  t.same(gist(store.userEvents.after(view.id, 0, 100)), again, 'after a restart too');
  store.nodes.upsert(nodeId, [descriptor('secret')]);
  t.notMatch(JSON.stringify(store.userEvents.recent(view.id, 100)), /open/, 'also when it is there no more');
});

t.test('an invite is good for one node, and a request is given its credentials once', async (t) => {
  const { store } = storeFor(t);
  const { token } = store.pairing.createInvite(60_000);
  t.equal(store.pairing.joinByInvite(token, FACTS, 1_000).nodeId, 'n1');
  t.throws(() => store.pairing.joinByInvite(token, FACTS, 1_000), { code: 'EACCES' });
  const asked = store.pairing.request(FACTS, '10.0.0.1');
  t.match(asked.verificationCode, /^[A-Z0-9]{4}-[A-Z0-9]{4}$/);
  t.equal(store.pairing.joinByRequest(asked.requestId, asked.requestSecret, 1_000), undefined);
  t.throws(() => store.pairing.joinByRequest(asked.requestId, 'guess', 1_000), { code: 'EACCES' });
  store.pairing.approve(asked.requestId, null);
  const got = store.pairing.joinByRequest(asked.requestId, asked.requestSecret, 1_000)!;
  t.equal(got.nodeId, 'n1-2');
  t.ok(store.nodes.secretIs('n1-2', got.nodeSecret));
  t.notOk(store.nodes.secretIs('n1', got.nodeSecret));
  t.throws(() => store.pairing.joinByRequest(asked.requestId, asked.requestSecret, 1_000), {
    code: 'EACCES',
  });
});

t.test('at most 100 requests wait, and one address may not ask without end', async (t) => {
  const { store } = storeFor(t);
  for (let n = 0; n < 100; n++) store.pairing.request(FACTS, `10.0.0.${n >> 3}`);
  t.throws(() => store.pairing.request(FACTS, '10.0.1.1'), { code: 'EBUSY', message: /100 nodes wait/ });
  for (let n = 0; n < 9; n++) t.throws(() => store.pairing.request(FACTS, '10.0.1.1'));
  t.throws(() => store.pairing.request(FACTS, '10.0.1.1'), { code: 'EBUSY', message: /address/ });
});

t.test('the audit log keeps a record that is sent twice once', async (t) => {
  const { store } = storeFor(t);
  const record = {
    origin: 'n1',
    record_id: randomBytes(4).toString('hex'),
    timestamp_ms: 1,
    act: 'invoke',
    outcome: 'ok',
  };
  t.equal(store.audit.append([record]).length, 1);
  t.equal(store.audit.append([record]).length, 0);
  store.audit.record({ act: 'token_create', outcome: 'ok' });
  t.match(store.audit.tail(2), [record, { origin: 'control', act: 'token_create' }]);
});

t.test('of many records that come at once each is kept once, in order, without a gap', async (t) => {
  const { store } = storeFor(t);
  const sent = Array.from({ length: 200 }, (_, n) => ({
    ...{ origin: `n${n % 2}`, record_id: `r${n}`, timestamp_ms: n, act: 'invoke', outcome: 'ok' },
    ...{ role: 'user', agent_id: `agent-${n % 3}` },
  }));
  store.audit.append(sent.slice(50, 60));
  const added = store.audit.append([...sent, ...sent.slice(0, 5)]);
  t.strictSame(added, [...sent.slice(0, 50), ...sent.slice(60)]);
  const kept = store.audit.tail(1000);
  t.strictSame(
    kept.map(({ record_id: id }) => id),
    [...sent.slice(50, 60), ...added].map(({ record_id: id }) => id),
  );
  t.strictSame(
    kept.map(({ audit_id: id }) => id),
    kept.map((_, at) => kept[0]!.audit_id + at),
  );
});
