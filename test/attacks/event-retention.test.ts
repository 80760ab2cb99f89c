import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { takeNodeRecords } from '../../lib/control/store/node-acts.js';
import { ControlStore } from '../../lib/control/index.js';
import { descriptor, FACTS, storeFor, temporaryDir } from '../support/store.js';

const FIXTURE = join(import.meta.dirname, '../../../test/control/fixtures/control-format2.sql');

/** `count` calls of one agent, as a node reports them. */
function calls(store: ControlStore, nodeId: string, agent: (n: number) => string, count: number): void {
  for (let from = 0; from < count; from += 256)
    takeNodeRecords(
      store,
      nodeId,
      Array.from({ length: Math.min(256, count - from) }, (_, n) => ({
        ...{ record_id: `${agent(from)}-${from + n}`, timestamp_ms: 1, act: 'invoke', outcome: 'ok' },
        ...{ service_id: 'a', invocation_id: `i${from + n}`, state: 'succeeded' },
        ...{ role: 'user', agent_id: agent(from + n), project_id: null },
      })),
    );
}

function viewOf(store: ControlStore, agentId: string): { id: number; head: number } {
  return store.userEvents.of({ id: agentId, role: 'user', agentId, project: null, revoked: false });
}

t.test('who calls without end pushes out his own events, and not those of others', async (t) => {
  const { store } = storeFor(t, { retention: { maxEvents: 600 } });
  const { nodeId } = store.nodes.join(FACTS, 60_000);
  store.nodes.upsert(nodeId, [descriptor('a')]);
  calls(store, nodeId, () => 'quiet', 50);
  calls(store, nodeId, () => 'busy', 3000);
  const kept = store.events.recent(10_000);
  const of = (agent: string): number =>
    kept.filter(({ payload }) => (payload['by'] as { agent_id?: string } | undefined)?.agent_id === agent)
      .length;
  t.ok(kept.length <= 600 + 256, `${kept.length} are kept`);
  t.equal(of('quiet'), 50);
  t.ok(of('busy') > 400, `${of('busy')} of the flood`);
  t.equal(
    kept.filter(({ kind }) => kind === 'services').length,
    1,
    'the catalog can be followed from its start',
  );
  t.equal(kept.at(-1)!.revision, store.events.head, 'the newest is there');
});

t.test(
  'a watch that resumes before an event that is gone learns that, in the log and in a view',
  async (t) => {
    const under = storeFor(t, { retention: { maxEvents: 300 } });
    const { nodeId } = under.store.nodes.join(FACTS, 60_000);
    under.store.nodes.upsert(nodeId, [descriptor('a')]);
    const { id } = viewOf(under.store, 'busy');
    calls(under.store, nodeId, () => 'busy', 1500);
    const check = (store: ControlStore): void => {
      const { events, userEvents } = store;
      t.ok(
        events.oldest > 1 && events.recent(1000)[0]!.revision === 1,
        'the first is kept, not all after it',
      );
      t.throws(() => events.after(1, 10), { code: 'EOVERFLOW' });
      t.throws(() => userEvents.after(id, 0, 10), { code: 'EOVERFLOW' });
      for (const [rest, oldest, head] of [
        [events.after(events.oldest - 1, 10_000), events.oldest, events.head],
        [
          userEvents.after(id, userEvents.oldest(id) - 1, 10_000),
          userEvents.oldest(id),
          viewOf(store, 'busy').head,
        ],
      ] as const) {
        const read = rest.map(({ revision }) => revision);
        t.strictSame(
          read,
          [...read.keys()].map((n) => n + oldest),
          'without gaps from there on',
        );
        t.ok(read.length > 100 && oldest + read.length - 1 <= head);
      }
    };
    check(under.store);
    const { oldest } = under.store.events;
    check(under.reopen());
    t.equal(under.store.events.oldest, oldest);
  },
);

t.test('a node that reports without end, under any names, keeps to its share', async (t) => {
  const { store } = storeFor(t, { retention: { maxBytes: 200_000 } });
  for (const nodeName of ['honest', 'evil']) {
    const { nodeId } = store.nodes.join({ ...FACTS, nodeName }, 60_000);
    store.nodes.upsert(nodeId, [descriptor('a')]);
  }
  calls(store, 'honest', () => 'bot', 100);
  calls(store, 'evil', (n) => `agent-${n}`, 2000);
  for (let n = 0; n < 600; n++) store.nodes.upsert('evil', [descriptor('a', { version: String(n) })]);
  const kept = store.events.recent(100_000);
  t.equal(kept.filter(({ nodeId }) => nodeId === 'honest').length, 102, 'all of the honest node');
  const bytes = kept.reduce((sum, { payload }) => sum + JSON.stringify(payload).length, 0);
  t.ok(bytes < 250_000, `${bytes} B`);
});

t.test('large events of the views are bounded together, and take from the largest', async (t) => {
  const { store } = storeFor(t, { retention: { maxViewBytes: 400_000 } });
  const { nodeId } = store.nodes.join(FACTS, 60_000);
  store.nodes.upsert(nodeId, [descriptor('a')]);
  const busy = viewOf(store, 'busy');
  const quiet = viewOf(store, 'quiet');
  calls(store, nodeId, () => 'quiet', 100);
  calls(store, nodeId, () => 'busy', 5000);
  t.equal(store.userEvents.recent(quiet.id, 10_000).length, 101, 'all of the quiet one');
  const left = store.userEvents.recent(busy.id, 10_000).length;
  t.ok(left > 500 && left < 2500, `${left} of the busy one`);
});

t.test('events of the format before are taken over, and count for those who caused them', async (t) => {
  const stateDir = temporaryDir(t);
  const path = join(stateDir, 'control.db');
  const earlier = new Database(path);
  earlier.exec(readFileSync(FIXTURE, 'utf8'));
  earlier.close();
  const store = new ControlStore({ stateDir, retention: { maxAgeMs: 1e14 } });
  t.teardown(() => store.close());
  t.ok(existsSync(`${path}.format2.bak`));
  t.equal(store.events.head, 6);
  t.strictSame([store.events.oldest, store.events.after(0, 10).length], [1, 6]);
  store.nodes.upsert('n1', [descriptor('a', { version: '3' })]);
  calls(store, 'n1', () => 'bot', 1);
  const raw = new Database(path, { readonly: true });
  t.teardown(() => raw.close());
  const owners = 'SELECT owner, COUNT(*) AS n FROM events GROUP BY owner ORDER BY owner';
  t.match(raw.prepare(owners).all([]), [
    { owner: '["n1","invocation_finished","user","bot",null]', n: 2 },
    { owner: '["n1","service_control","admin",null,null]', n: 1 },
    { owner: '["n1","service_health",null,null,null]', n: 1 },
    { owner: '["n1",null,null,null,null]', n: 4 },
  ]);
  const size = (table: string): unknown =>
    raw
      .prepare(`SELECT COUNT(*) AS n FROM ${table} WHERE bytes <> LENGTH(CAST(payload AS BLOB)) + 128`)
      .get([]);
  t.match([size('events'), size('view_events')], [{ n: 0 }, { n: 0 }]);
});
