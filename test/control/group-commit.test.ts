import { execFileSync } from 'node:child_process';
import { statfsSync, writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ControlStore } from '../../lib/control/index.js';
import { descriptor, FACTS, storeFor, temporaryDir } from '../support/store.js';

t.test('changes that wait share a transaction; one that fails undoes itself alone', async (t) => {
  const under = storeFor(t);
  const { store } = under;
  const ids = ['a', 'b', 'c'].map((nodeName) => store.nodes.join({ ...FACTS, nodeName }, 60_000).nodeId);
  const user = { id: 's', role: 'user', agentId: null, project: null, revoked: false } as const;
  const before = store.userEvents.of(user).head;
  const head = store.events.head;
  const heard: string[] = [];
  store.nodes.changed.on((nodeId) => heard.push(nodeId));
  const outcomes = await Promise.allSettled(
    ids.map((nodeId) =>
      store.commit(() => {
        store.nodes.upsert(nodeId, [descriptor(nodeId)]);
        store.nodes.refresh(nodeId);
        if (nodeId === 'b') throw new Error('no');
        return store.events.head;
      }),
    ),
  );
  t.match(outcomes, [
    { status: 'fulfilled', value: head + 2 },
    { status: 'rejected', reason: { message: 'no' } },
    { status: 'fulfilled', value: head + 4 },
  ]);
  t.same(new Set(heard), new Set(['a', 'c']), 'nobody is notified of what did not happen');
  const state = (of: ControlStore): unknown => [
    ids.map((id) => of.nodes.require(id).services.size),
    ids.map((id) => of.nodes.require(id).online),
    of.events.head,
    of.events.after(head, 10).map(({ revision, nodeId, kind }) => [revision - head, nodeId, kind]),
    of.userEvents.after(of.userEvents.of(user).id, before, 10).map(({ nodeId, kind }) => [nodeId, kind]),
  ];
  t.same(state(store), [
    [1, 0, 1],
    [true, false, true],
    head + 4,
    [
      [1, 'a', 'services'],
      [2, 'a', 'node_online'],
      [3, 'c', 'services'],
      [4, 'c', 'node_online'],
    ],
    [
      ['a', 'services'],
      ['a', 'node_online'],
      ['c', 'services'],
      ['c', 'node_online'],
    ],
  ]);
  t.same(state(under.reopen()), state(store), 'and so it is on disk');
});

t.test('a change is answered after its commit, and what waits at the end is done', async (t) => {
  const under = storeFor(t);
  const { store } = under;
  const waiting = ['a', 'b'].map((id) => store.commit(() => store.projects.create(id, {}, false)));
  t.equal(store.projects.get('a'), undefined, 'nothing is shown before it is on disk');
  const again = under.reopen();
  t.equal((await Promise.all(waiting)).length, 2);
  t.ok(again.projects.get('a') !== undefined && again.projects.get('b') !== undefined);
  await t.rejects(
    store.commit(() => undefined),
    { code: 'EHOSTDOWN' },
    'a closed store takes nothing',
  );
});

t.test(
  'on a full disk, of changes that came together those happen that fit, and memory is what is on disk',
  { skip: process.getuid?.() === 0 ? false : 'only root can mount a small file system' },
  async (t) => {
    const disk = temporaryDir(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'acheron-test', disk]);
    t.teardown(() => execFileSync('umount', ['-l', disk]));
    const options = { stateDir: join(disk, 'state') };
    let store = new ControlStore(options);
    t.teardown(() => store.close());
    const ballast = join(disk, 'ballast');
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(ballast, Buffer.alloc((bavail - 40) * bsize));
    const sizes = [1_000_000, 200, 900_000, 300];
    const outcomes = await Promise.allSettled(
      sizes.map((size, n) =>
        store.commit(() => store.projects.create(`p${n}`, { description: 'd'.repeat(size) }, false)),
      ),
    );
    t.same(
      outcomes.map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected', 'fulfilled'],
    );
    t.match(outcomes[0], { reason: { code: 'ENOSPC' } });
    const there = (): boolean[] => sizes.map((_, n) => store.projects.get(`p${n}`) !== undefined);
    t.same(there(), [false, true, false, true]);
    rmSync(ballast);
    store.close();
    store = new ControlStore(options);
    t.same(there(), [false, true, false, true], 'and after a restart');
  },
);
