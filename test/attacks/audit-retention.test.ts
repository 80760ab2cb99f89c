import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { fairShare } from '../../lib/control/store/fair-share.js';
import { MIGRATIONS } from '../../lib/control/store/migrations.js';
import { takeNodeRecords } from '../../lib/control/store/node-acts.js';
import { ControlStore } from '../../lib/control/index.js';
import { storeFor, temporaryDir } from '../support/store.js';
import { FakeClock } from '../support/fake-clock.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const ADMIN = { role: 'admin', agent_id: 'boss', project_id: null };
const BUSY = { role: 'user', agent_id: 'busy', project_id: null };

t.test('a flood of the audit log pushes out its own records, and a record says how many', async (t) => {
  const { store } = storeFor(t, { auditRetention: { maxBytes: 300_000 } });
  const { audit } = store;
  store.change(() => {
    for (let n = 0; n < 100; n++) audit.record({ act: `admin-${n}`, outcome: 'ok', ...ADMIN });
    for (let n = 0; n < 20; n++) audit.record({ act: `own-${n}`, outcome: 'ok', ...BUSY });
    for (let n = 0; n < 5000; n++) audit.record({ act: `no-${n}`, outcome: 'denied', ...BUSY });
  });
  const kept = audit.tail(10_000);
  const of = (prefix: string): number => kept.filter(({ act }) => act.startsWith(prefix)).length;
  t.equal(of('admin-'), 100);
  t.equal(of('own-'), 20, 'nor do his denials push out his acts');
  t.ok(of('no-') > 200, `${of('no-')} of the flood are kept`);
  t.ok(Buffer.byteLength(JSON.stringify(kept)) < 400_000);
  t.equal(kept.at(-1)!.act === 'audit_sweep' || of('no-4999') === 1, true, 'the newest is there');
  const sweeps = kept.filter(({ act }) => act === 'audit_sweep');
  t.match(sweeps[0], { reason: 'size', whose: [{ origin: 'control', of: ['user', 'busy', null, true] }] });
  const numbers = kept.map(({ audit_id: id }) => id);
  const newest = numbers.at(-1)!;
  const removed = sweeps.reduce((sum, { removed }) => sum + (removed as number), 0);
  t.equal(newest - numbers.length, removed, 'each number that is missing is accounted for');
});

t.test('a node that reports without end, under any names, keeps to its share', async (t) => {
  const { store } = storeFor(t, { auditRetention: { maxRecords: 1000 } });
  store.change(() => {
    for (let n = 0; n < 100; n++) store.audit.record({ act: `admin-${n}`, outcome: 'ok', ...ADMIN });
  });
  const record = (record_id: string, agent: string) => ({
    ...{ record_id, timestamp_ms: 8.64e15, act: 'invoke', outcome: 'ok' },
    ...{ role: 'user', agent_id: agent, project_id: null },
  });
  takeNodeRecords(
    store,
    'honest',
    Array.from({ length: 100 }, (_, n) => record(`h${n}`, 'a')),
  );
  for (let batch = 0; batch < 20; batch++)
    takeNodeRecords(
      store,
      'evil',
      Array.from({ length: 256 }, (_, n) => record(`e${batch}-${n}`, `agent-${batch}-${n}`)),
    );
  while (store.audit.sweep());
  const kept = store.audit.tail(10_000);
  t.ok(kept.length <= 1000, `${kept.length}`);
  t.equal(kept.filter(({ act }) => act.startsWith('admin-')).length, 100);
  t.equal(kept.filter(({ origin }) => origin === 'honest').length, 100);
});

t.test('records go when they are too old', async (t) => {
  const clock = new FakeClock();
  const { store } = storeFor(t, { clock, auditRetention: { maxAgeMs: DAY_MS } });
  store.audit.record({ act: 'old', outcome: 'ok' });
  clock.advance(DAY_MS / 2);
  store.audit.record({ act: 'young', outcome: 'ok' });
  clock.advance(DAY_MS / 2 + 1);
  t.ok(store.audit.sweep());
  t.same(
    store.audit.tail(10).map(({ act }) => act),
    ['young', 'audit_sweep'],
  );
  t.notOk(store.audit.sweep());
});

t.test(
  'nothing but a sweep removes a record, and nothing changes one; an earlier format is taken over',
  async (t) => {
    const stateDir = temporaryDir(t);
    const path = join(stateDir, 'control.db');
    const earlier = new Database(path);
    earlier.exec(MIGRATIONS[0]!);
    const insert = earlier.prepare(
      'INSERT INTO audit (origin, record_id, timestamp_ms, record) VALUES (?,?,?,?)',
    );
    for (const n of [1, 2]) {
      const record = {
        origin: 'control',
        record_id: `r${n}`,
        timestamp_ms: n,
        act: 'x',
        outcome: 'denied',
        ...BUSY,
      };
      insert.run(['control', `r${n}`, n, JSON.stringify(record)]);
    }
    earlier.exec('PRAGMA user_version=1; PRAGMA application_id=1000');
    earlier.close();
    const store = new ControlStore({ stateDir });
    t.ok(existsSync(`${path}.format1.bak`));
    store.audit.record({ act: 'y', outcome: 'denied', ...BUSY });
    t.match(store.audit.tail(10), [{ record_id: 'r1' }, { record_id: 'r2' }, { act: 'y' }]);
    store.close();
    const raw = new Database(path);
    t.teardown(() => raw.close());
    const owners = raw.prepare('SELECT owner, records FROM audit_owners').all([]) as { owner: string }[];
    t.match(owners, [{ owner: '["user","busy",null,true]', records: 3 }], 'one owner, before and after');
    t.throws(() => raw.exec('DELETE FROM audit'), /append-only/);
    t.throws(() => raw.exec("UPDATE audit SET record = '{}'"), /append-only/);
    raw.exec(`INSERT INTO audit_sweep VALUES ('control', '["user","busy",null,true]', 1)`);
    t.throws(() => raw.exec('DELETE FROM audit WHERE audit_id = 2'), /append-only/);
  },
);

t.test('only who has more than a fair share gives anything up', async (t) => {
  t.equal(fairShare([1, 2, 3], 6), Infinity);
  t.equal(fairShare([1, 100], 50), 49);
  t.equal(fairShare([30, 40, 5], 45), 20);
});
