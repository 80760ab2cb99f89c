import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { EmbeddedLog } from '../../lib/cluster/index.js';
import type { ControlStore } from '../../lib/control/index.js';
import { recorded } from '../../lib/control/server/handlers/handler.js';
import type { Peer } from '../../lib/control/server/peer.js';
import { FsError } from '../../lib/core/index.js';
import { descriptor, FACTS, temporaryDir } from '../support/store.js';
import { ReplicatedStores } from '../support/replicas.js';
import { until } from '../support/until.js';

t.test('what one replica acknowledged, the others have', async (t) => {
  const replicas = new ReplicatedStores(t);
  const [one, other] = [await replicas.add(), await replicas.add()];
  t.equal(one.tokens.list().length, 2, 'the first has made the first tokens');
  t.strictSame(other.tokens.list(), one.tokens.list(), 'and the second has them, and no others');
  t.strictSame(other.keys, one.keys);

  const { token } = await one.commit(() => one.tokens.create({ role: 'user', agentId: 'a' }));
  t.ok(await other.findAnywhere(() => other.tokens.verify(token)), 'who is let in at one is let in at all');
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

t.test(
  'a node that comes to a replica that has just begun is found there by those who had not heard of it',
  async (t) => {
    const replicas = new ReplicatedStores(t);
    const [one, other] = [await replicas.add(), await replicas.add()];
    const claim = (store: ControlStore): Promise<unknown> =>
      store.commit(() =>
        store.nodes.claim('n1', { instance_id: 'i', address: 'x', connected_at_ms: 1, software: null }),
      );
    await one.commit(() => one.nodes.join(FACTS, 60_000));
    await claim(one);
    await one.commit(() => one.nodes.upsert('n1', [descriptor('a')]));
    const begun = await replicas.add();
    await claim(begun);
    const { selfId } = begun.replicas!.membership;
    await until(() => other.nodes.get('n1')?.replica === selfId, 'the catalog says where it is');
    t.equal(other.replicas?.holderOf('n1'), undefined, 'which is not known here');
    t.equal(await other.replicas?.findHolder('n1'), true);
    t.equal(other.replicas?.holderOf('n1')?.id, selfId);
    t.equal(other.replicas?.findHolder('n1'), undefined, 'there is nothing more to look for');
  },
);

t.test('a code that opens a console does so once, whichever replica is asked', async (t) => {
  const replicas = new ReplicatedStores(t);
  const stores = [await replicas.add(), await replicas.add(), await replicas.add()];
  const [one] = stores as [ControlStore, ...ControlStore[]];
  const { tokenId } = one.tokens.list()[0]!;
  const asker = { tokenId, sessionId: null, maxRole: 'user' } as const;
  const { code } = await one.commit(() => one.consoleLinks.create(asker));
  const taken = await Promise.all(stores.map((store) => store.commit(() => store.consoleLinks.take(code))));
  t.strictSame(
    taken.filter((found) => found !== undefined),
    [asker],
  );
});

t.test('what a session is called is known everywhere, and of one token is the name of one', async (t) => {
  const replicas = new ReplicatedStores(t);
  const stores = [await replicas.add(), await replicas.add()] as const;
  const [one, other] = stores;
  const record = one.tokens.list()[0]!;
  const hash = one.tokens.liveHash(record.tokenId)!;
  const named = await Promise.all(
    stores.map((store) =>
      store.commit(() => {
        const known = store.sessions.idFrom(record.tokenId, 'work');
        if (known !== 'work') return known;
        const { sessionId } = store.sessions.create(record, hash);
        store.sessions.call(sessionId, 'work');
        return sessionId;
      }),
    ),
  );
  t.equal(named[0], named[1], 'who comes second is given the session that there is');
  await Promise.all(stores.map((store) => store.catchUp()));
  t.equal(other.sessions.idFrom(record.tokenId, 'work'), named[0]);
  t.equal(other.sessions.idFrom('another token', 'work'), 'work');
  await one.commit(() => one.sessions.close(named[0]!));
  t.equal(other.sessions.idFrom(record.tokenId, 'work'), 'work', 'a closed one has no name');
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

t.test(
  'a replica whose entries the log has lost serves nothing, and takes what there is when it starts anew',
  async (t) => {
    const path = join(temporaryDir(t), 'log.db');
    const replicas = new ReplicatedStores(t, () => new EmbeddedLog(path));
    const one = await replicas.add({ leaseMs: 600 });
    const { stateDir } = one;
    await one.commit(() => one.projects.create('kept', {}, false));
    await one.commit(() => one.projects.create('lost', {}, false));
    const log = new Database(path);
    log.exec(`DELETE FROM log WHERE seq = (SELECT seq FROM head);
    UPDATE head SET seq = seq - 1, entry_id = (SELECT entry_id FROM log ORDER BY seq DESC LIMIT 1)`);
    log.close();
    await until(() => !one.replicas!.membership.isServing());
    await t.rejects(
      one.commit(() => one.projects.create('more', {}, false)),
      { code: 'EHOSTDOWN' },
    );
    await replicas.end(one);
    const back = await replicas.add({ stateDir });
    t.ok(back.projects.get('kept'));
    t.notOk(back.projects.get('lost'));
    await back.commit(() => back.projects.create('more', {}, false));
  },
);

t.test(
  'a replica that cannot renew serves nothing, and goes on by itself; a change of rights waits for that',
  async (t) => {
    const path = join(temporaryDir(t), 'log.db');
    const logs: FaultyLog[] = [];
    const replicas = new ReplicatedStores(t, () => {
      const log = new FaultyLog(path);
      logs.push(log);
      return log;
    });
    const one = await replicas.add({ leaseMs: 900 });
    const other = await replicas.add({ leaseMs: 900 });
    const serving: boolean[] = [];
    one.replicas!.membership.servingChanged.on((now) => serving.push(now));
    const { record, token } = await other.commit(() => other.tokens.create({ role: 'user' }));
    t.ok(await one.findAnywhere(() => one.tokens.verify(token)));
    logs[0]!.isAway = true;
    await other.commit(() => other.tokens.revoke(record.tokenId));
    t.notOk(
      one.replicas!.membership.isServing() && one.tokens.verify(token),
      'acknowledged: who has not applied it serves nothing',
    );
    await t.rejects(
      one.commit(() => one.projects.create('p', {}, false)),
      { code: 'EHOSTDOWN' },
    );
    logs[0]!.isAway = false;
    await until(() => one.replicas!.membership.isServing());
    t.notOk(one.tokens.verify(token), 'it serves again once it has caught up');
    t.equal(serving[0], false, 'whoever depends on it was told');
  },
);

t.test(
  'what gives rights waits for no other replica, which refuses nobody before it looked; what takes them waits',
  async (t) => {
    const path = join(temporaryDir(t), 'log.db');
    const logs: SlowLog[] = [];
    const replicas = new ReplicatedStores(t, () => {
      const log = new SlowLog(path);
      logs.push(log);
      return log;
    });
    const one = await replicas.add();
    const other = await replicas.add();
    const slow = logs[1]!;
    const asked = async <T>(find: () => T | undefined): Promise<T | undefined> => {
      t.equal(find(), undefined, 'it is not known there yet');
      const found = other.findAnywhere(find);
      slow.letGo();
      return found;
    };

    slow.hold();
    const { token, record } = await one.commit(() => one.tokens.create({ role: 'user' }));
    t.ok(await asked(() => other.tokens.verify(token)), 'a new token');

    slow.hold();
    const joined = await one.commit(() => one.nodes.join(FACTS, 60_000));
    t.ok(
      await asked(() => other.nodes.secretIs(joined.nodeId, joined.nodeSecret) || undefined),
      'a node that has joined',
    );

    slow.hold();
    const { token: invite } = await one.commit(() => one.pairing.createInvite(60_000));
    const facts = { ...FACTS, nodeName: 'n2' };
    const joining = other.commit(() => other.pairing.joinByInvite(invite, facts, 60_000));
    slow.letGo();
    t.equal((await joining).nodeId, 'n2', 'an invite');

    slow.hold();
    let isRevoked = false;
    const revoking = one.commit(() => one.tokens.revoke(record.tokenId)).then(() => (isRevoked = true));
    const startSeq = one.replicas!.replica.appliedSeq;
    await until(() => one.replicas!.replica.appliedSeq > startSeq || one.tokens.verify(token) === undefined);
    t.ok(other.tokens.verify(token), 'the other has not heard of it');
    t.notOk(isRevoked, 'and so it is not acknowledged');
    slow.letGo();
    await revoking;
    t.notOk(other.tokens.verify(token));
  },
);

/** A log whose answers to what stands in it are held back for a while. */
class SlowLog extends EmbeddedLog {
  #held: Promise<void> | undefined;
  #letGo: (() => void) | undefined;

  hold(): void {
    this.#held = new Promise((resolve) => (this.#letGo = resolve));
  }

  letGo(): void {
    this.#letGo?.();
    this.#held = undefined;
  }

  override async read(after: number, limit: number): ReturnType<EmbeddedLog['read']> {
    await this.#held;
    return super.read(after, limit);
  }
}

/** A log that cannot be reached for a while. */
class FaultyLog extends EmbeddedLog {
  isAway = false;

  override async read(after: number, limit: number): ReturnType<EmbeddedLog['read']> {
    this.#reach();
    return super.read(after, limit);
  }

  override async append(...args: Parameters<EmbeddedLog['append']>): Promise<boolean> {
    this.#reach();
    return super.append(...args);
  }

  override async renew(...args: Parameters<EmbeddedLog['renew']>): ReturnType<EmbeddedLog['renew']> {
    this.#reach();
    return super.renew(...args);
  }

  #reach(): void {
    if (this.isAway) throw new FsError('EHOSTDOWN', 'The log is away.');
  }
}

/** As a change comes to a store: by itself, or as an admin's act, with its line in the audit log. */
const WAYS: Readonly<Record<string, (store: ControlStore, work: () => unknown) => Promise<unknown>>> = {
  'a change': (store, work) => store.commit(work),
  'an act on record': (store, work) => {
    const peer = { context: { store }, who: () => ({ role: 'admin' }) };
    return recorded('project_create', peer as unknown as Peer, { project_id: 'large' }, work);
  },
};

for (const [what, make] of Object.entries(WAYS))
  t.test(`${what} that stands in the log is not refused by a replica that has no room for it`, async (t) => {
    const path = join(temporaryDir(t), 'log.db');
    const opened: EmbeddedLog[] = [];
    const replicas = new ReplicatedStores(t, () => {
      opened.push(new EmbeddedLog(path));
      return opened.at(-1)!;
    });
    // It is looked at whether it may serve with each renewal of its lease.
    const [full, other] = [await replicas.add({ leaseMs: 5_000 }), await replicas.add()];
    const copy = replicas.copies.get(full)!;
    const log = opened[0]!;
    const append = log.append.bind(log);
    log.append = (...asked) => {
      copy.execute('PRAGMA max_page_count = 1');
      return append(...asked);
    };
    const description = 'x'.repeat(200_000);
    await t.rejects(
      make(full, () => full.projects.create('large', { description }, false)),
      { code: 'EHOSTDOWN', message: /^The change was made/ },
    );
    await until(() => other.projects.get('large') !== undefined, 'it at the other replica');
    await until(() => !full.replicas!.membership.isServing(), 'the full one to serve nothing');
    log.append = append;
    copy.execute('PRAGMA max_page_count = 1000000');
    await until(() => full.replicas!.membership.isServing(), 'it to serve again');
    t.equal(full.projects.get('large')?.description?.length, description.length);
  });
