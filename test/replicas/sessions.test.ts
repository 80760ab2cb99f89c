import t from 'tap';
import type { ControlStore } from '../../lib/control/index.js';
import { MAX_SESSIONS_OF_A_TOKEN } from '../../lib/control/store/session-keeper.js';
import { ReplicatedStores } from '../support/replicas.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

t.test('a session in use at one replica outlives any number that its token begins at another', async (t) => {
  const replicas = new ReplicatedStores(t);
  const [one, other] = [await replicas.add(), await replicas.add()];
  const { token } = await one.commit(() => one.tokens.create({ role: 'user', agentId: 'a' }));
  const begin = (store: ControlStore) => {
    const { record, hash } = store.tokens.verify(token)!;
    return store.sessions.create(record, hash).sessionId;
  };
  const used = await one.commit(() => begin(one));
  const moved = await one.commit(() => begin(one));
  const live = one.sessions.use(used);
  await until(() => other.sessions.get(moved) !== undefined, 'the sessions at the other');
  // Its client has gone from one to the other.
  other.sessions.use(moved);
  other.sessions.touch(moved);
  const unused = await other.commit(() => begin(other));
  for (let n = 0; n < MAX_SESSIONS_OF_A_TOKEN + 100; n += 100)
    await other.commit(() => Array.from({ length: 100 }, () => begin(other)));
  await until(() => one.sessions.get(unused) === undefined, 'what nobody used goes');
  t.ok(one.sessions.get(used) !== undefined && other.sessions.get(used) !== undefined);
  t.equal(one.sessions.snapshot(used).revoked, false);
  for (let n = 0; n < MAX_SESSIONS_OF_A_TOKEN + 100; n += 100)
    await one.commit(() => Array.from({ length: 100 }, () => begin(one)));
  t.ok(one.sessions.get(moved), 'nor does the one from which it has gone forget it');
  one.sessions.release(live);
  const { tokenId } = one.sessions.require(used);
  t.ok(one.sessions.list({ tokenId }).length <= 2 * MAX_SESSIONS_OF_A_TOKEN, 'each keeps its own in bounds');
});

t.test(
  'a session of a replica that was killed is not forgotten while its client goes on elsewhere',
  async (t) => {
    const replicas = new ReplicatedStores(t);
    const [one, killed, other] = [
      await replicas.add({ leaseMs: 3_000 }),
      await replicas.add({ leaseMs: 3_000 }),
      await replicas.add({ leaseMs: 3_000 }),
    ];
    const { token } = await one.commit(() => one.tokens.create({ role: 'user', agentId: 'a' }));
    const begin = (store: ControlStore): string => {
      const { record, hash } = store.tokens.verify(token)!;
      return store.sessions.create(record, hash).sessionId;
    };
    await until(() => Boolean(killed.tokens.verify(token)));
    const used = await killed.commit(() => begin(killed));
    await until(() => one.sessions.get(used) !== undefined, 'it is known elsewhere');
    const { selfId } = killed.replicas!.membership;
    // It renews its lease no longer.
    killed.replicas!.membership.renew = () => Promise.resolve(false);
    await until(
      () => other.replicas?.membership.member(selfId) === undefined,
      'its lease has run out',
      40_000,
    );
    // Nothing that says so was written when its client came here.
    one.sessions.use(used);
    await until(() => Boolean(other.tokens.verify(token)));
    for (let at = 0; at <= MAX_SESSIONS_OF_A_TOKEN; at += 100)
      await other.commit(() => Array.from({ length: 100 }, () => begin(other)));
    await one.catchUp();
    t.ok(one.sessions.get(used), 'others have made room meanwhile');
  },
);

t.test(
  'a session that has just begun is not forgotten for another one, however many of its token are in use, or were elsewhere',
  async (t) => {
    const replicas = new ReplicatedStores(t);
    const [one, killed] = [await replicas.add({ leaseMs: 3_000 }), await replicas.add({ leaseMs: 3_000 })];
    const { token } = await one.commit(() => one.tokens.create({ role: 'user', agentId: 'a' }));
    const begin = (store: ControlStore): string => {
      const { record, hash } = store.tokens.verify(token)!;
      return store.sessions.create(record, hash).sessionId;
    };
    await until(() => Boolean(killed.tokens.verify(token)));
    for (let at = 0; at < MAX_SESSIONS_OF_A_TOKEN; at += 100)
      await killed.commit(() => Array.from({ length: 100 }, () => begin(killed)));
    const { selfId } = killed.replicas!.membership;
    killed.replicas!.membership.renew = () => Promise.resolve(false);
    await until(() => one.replicas?.membership.member(selfId) === undefined, 'its lease has run out', 20_000);
    await one.catchUp();
    // Who was answered comes with his session in a moment; others begin theirs meanwhile.
    for (let n = 0; n < 100; n++) {
      const [first, second] = await Promise.all([one.commit(() => begin(one)), one.commit(() => begin(one))]);
      await one.commit(() => begin(one));
      for (const id of [first, second]) one.sessions.release(one.sessions.use(id));
      t.notOk(one.sessions.snapshot(first).revoked || one.sessions.snapshot(second).revoked, `${n}`);
    }
    const live = Array.from({ length: MAX_SESSIONS_OF_A_TOKEN }, () => begin);
    for (let at = 0; at < live.length; at += 100)
      for (const id of await one.commit(() => live.slice(at, at + 100).map((make) => make(one))))
        one.sessions.use(id);
    const [last] = await Promise.all([one.commit(() => begin(one)), one.commit(() => begin(one))]);
    await one.commit(() => Array.from({ length: 100 }, () => begin(one)));
    t.notOk(one.sessions.snapshot(last).revoked, 'nor where all others are in use');
  },
);
