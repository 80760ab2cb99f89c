import t from 'tap';
import { descriptor, FACTS } from '../support/store.js';
import { ReplicatedStores } from '../support/replicas.js';
import { until } from '../support/until.js';

t.test('what one replica acknowledged, the others have', async (t) => {
  const replicas = new ReplicatedStores(t);
  const [one, other] = [await replicas.add(), await replicas.add()];
  t.equal(one.tokens.list().length, 2, 'the first has made the first tokens');
  t.strictSame(other.tokens.list(), one.tokens.list(), 'and the second has them, and no others');
  t.strictSame(other.keys, one.keys);

  const { token } = await one.commit(() => one.tokens.create({ role: 'user', agentId: 'a' }));
  t.ok(other.tokens.verify(token), 'a change of rights is everywhere when it is acknowledged');
  await other.commit(() => other.projects.create('p', { nodes: ['n1'] }, false));
  t.equal(one.projects.get('p')?.projectId, 'p');
  const { record } = { record: one.tokens.list().find(({ agentId }) => agentId === 'a')! };
  await other.commit(() => other.tokens.revoke(record.tokenId));
  t.notOk(one.tokens.verify(token), 'and so is a revocation');
});

t.test('nodes, services, events and what users see of them are the same everywhere', async (t) => {
  const replicas = new ReplicatedStores(t);
  const [one, other] = [await replicas.add(), await replicas.add()];
  const told: string[] = [];
  other.nodes.changed.on((id) => told.push(id));
  const heard: number[] = [];
  other.events.appended.on(({ revision }) => heard.push(revision));
  const session = { id: 's', role: 'user', agentId: 'a', project: null, revoked: false } as const;
  await one.ensureView(session);
  await one.commit(() => one.nodes.join(FACTS, 60_000));
  await one.commit(() =>
    one.nodes.claim('n1', { instance_id: 'i', address: 'x', connected_at_ms: 1, software: null }),
  );
  await one.commit(() => one.nodes.upsert('n1', [descriptor('a'), descriptor('b')]));
  await one.commit(() => one.nodes.upsert('n1', [descriptor('a', { version: '2' })]));
  await until(() => other.events.head === one.events.head);
  t.strictSame(other.events.recent(99), one.events.recent(99));
  t.strictSame(
    heard,
    [...heard].sort((a, b) => a - b),
  );
  t.equal(heard.at(-1), one.events.head);
  t.ok(told.includes('n1'));
  const shown = (store: typeof one) =>
    [...store.nodes.require('n1').services.values()].map(({ serviceId, version, hash }) => [
      serviceId,
      version,
      hash,
    ]);
  t.strictSame(shown(other), shown(one));
  t.strictSame(other.userEvents.of(session).id, one.userEvents.of(session).id);
  t.strictSame(other.userEvents.recent(1, 99), one.userEvents.recent(1, 99));
  t.equal(other.history.bytes, one.history.bytes);
  t.equal(other.nodes.get('n1')?.replica, one.replicas?.membership.selfId);
  t.equal(other.replicas?.holderOf('n1')?.id, one.replicas?.membership.selfId);
  t.equal(one.replicas?.holderOf('n1'), undefined);
});

t.test('of two who take the same thing one has it', async (t) => {
  const replicas = new ReplicatedStores(t);
  const stores = [await replicas.add(), await replicas.add(), await replicas.add()];
  const { token } = await stores[0]!.commit(() => stores[0]!.pairing.createInvite(60_000));
  const joined = await Promise.allSettled(
    stores.map((store) => store.commit(() => store.pairing.joinByInvite(token, FACTS, 60_000))),
  );
  t.equal(joined.filter(({ status }) => status === 'fulfilled').length, 1);
  await Promise.all(
    stores.flatMap((store, at) =>
      Array.from({ length: 20 }, (_, n) =>
        store.commit(() => store.projects.create(`p${at}-${n}`, {}, false)),
      ),
    ),
  );
  await until(() => stores.every((store) => store.projects.list().length === 60));
  t.strictSame(stores[1]!.events.recent(99), stores[0]!.events.recent(99));
  t.equal(stores[0]!.events.recent(1)[0]?.revision, stores[0]!.events.head);
});

t.test('a replica that comes back goes on from its copy, and one that lost it makes it anew', async (t) => {
  const replicas = new ReplicatedStores(t);
  const one = await replicas.add();
  const other = await replicas.add();
  const { stateDir } = other;
  await replicas.end(other);
  await one.commit(() => one.projects.create('p', {}, false));
  const back = await replicas.add({ stateDir });
  t.ok(back.projects.get('p'));
  t.equal((await replicas.add()).projects.list().length, 1);
});
