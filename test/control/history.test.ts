import { statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { ControlStore } from '../../lib/control/index.js';
import {
  changeAsJson,
  descriptorAfter,
  diffOfChange,
  historyForAdmins,
  historyForUser,
  type ShownChange,
} from '../../lib/manifest/index.js';
import type { JsonObject } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { descriptor, FACTS, storeFor, type StoreUnderTest } from '../support/store.js';

const NODE = 'n1';
const all = (store: ControlStore, service = 'a'): ShownChange[] =>
  historyForAdmins(store.history.of(NODE, service));
const forUser = (store: ControlStore, service = 'a'): ShownChange[] =>
  historyForUser(store.history.of(NODE, service), (permissions) =>
    store.access.wouldShow(localSession('user'), NODE, service, permissions),
  );
const said = (shown: readonly ShownChange[]): unknown[] =>
  shown.map(({ change, version }) => [change, version?.version ?? null]);

function withNode(under: StoreUnderTest): ControlStore {
  under.store.nodes.join(FACTS, 60_000);
  return under.store;
}

const put = (store: ControlStore, ...services: JsonObject[]): number =>
  store.nodes.upsert(NODE, services).revision;
const version = (n: number, more: JsonObject = {}): JsonObject =>
  descriptor('a', { version: String(n), help_md: `Text ${n}.`, ...more });

function control(store: ControlStore, op: string): void {
  store.change(() => store.events.append('service_control', NODE, { service_id: 'a', op, by: {} }));
}

t.test('each version is kept with what changed, and what it was can be read and compared', (t) => {
  const under = storeFor(t);
  const store = withNode(under);
  const first = put(store, version(1));
  const second = put(store, version(2, { node_id: NODE, endpoints: [`/nodes/${NODE}/a/x`] }));
  put(store, version(2, { node_id: NODE, endpoints: [`/nodes/${NODE}/a/x`], updated_at_ms: 5 }));
  const third = put(store);
  for (const again of [false, true]) {
    const now = again ? under.reopen() : store;
    const shown = all(now);
    t.same(
      shown.map(({ n }) => n),
      [first, second, third],
      'the revisions of the events that said so',
    );
    t.match(changeAsJson(shown[1]!, true), {
      revision: second,
      change: 'updated',
      version: '2',
      previous_version: '1',
      hash: /^[0-9a-f]{64}$/,
      fields: ['/version', '/help_md', '/node_id', '/endpoints'],
    });
    t.equal(shown[1]!.previous?.version.hash, shown[0]!.version?.hash);
    t.match(changeAsJson(shown[2]!, true), {
      change: 'removed',
      version: null,
      hash: null,
      previous_version: '2',
    });
    const records = now.history.of(NODE, 'a');
    t.match(descriptorAfter(records, shown[0]!), { version: '1', help_md: 'Text 1.' });
    t.match(descriptorAfter(records, shown[1]!), { node_id: NODE, endpoints: [`/nodes/${NODE}/a/x`] });
    t.equal(descriptorAfter(records, shown[2]!), null);
    t.match(
      diffOfChange(records, shown[1]!),
      new RegExp(`^--- a/${first}\\.json\n\\+\\+\\+ a/${second}\\.json\n@@[^]*-  "help_md": "Text 1\\."`),
    );
    t.match(diffOfChange(records, shown[2]!), /^--- a\/\d+\.json\n\+\+\+ \/dev\/null\n/);
  }
  t.end();
});

t.test(
  'a service that comes back goes on with its history; its node takes it along when it is deleted',
  (t) => {
    const store = withNode(storeFor(t));
    put(store, version(1));
    put(store);
    put(store, version(2), descriptor('b'));
    t.same(said(all(store)), [
      ['added', '1'],
      ['removed', null],
      ['added', '2'],
    ]);
    store.nodes.delete(NODE);
    t.same(all(store), []);
    t.equal(store.history.bytes, 0);
    store.nodes.join(FACTS, 60_000);
    put(store, version(3));
    t.same(said(all(store)), [['added', '3']]);
    t.end();
  },
);

t.test('what is done to a service is part of its history; how it fares is not', (t) => {
  const store = withNode(storeFor(t));
  put(store, version(1));
  control(store, 'disable');
  put(store, version(1, { state: 'offline' }));
  control(store, 'restart');
  control(store, 'enable');
  put(store, version(1, { state: 'online' }));
  control(store, 'config');
  put(store, version(2, { state: 'degraded' }));
  const shown = all(store);
  t.same(said(shown), [
    ['added', '1'],
    ['disabled', '1'],
    ['enabled', '1'],
    ['config', '1'],
    ['updated', '2'],
  ]);
  t.same(shown.at(-1)!.fields, ['/version', '/help_md']);
  t.equal(shown.at(-1)!.previous?.n, shown[0]!.n, 'it is compared with the version before');
  t.equal(diffOfChange(store.history.of(NODE, 'a'), shown[1]!), '');
  t.end();
});

t.test('equal descriptors are kept once, whichever version and node they are of', (t) => {
  const under = storeFor(t);
  const { store } = under;
  const text = 'x'.repeat(10_000);
  for (const nodeName of ['n1', 'n2', 'n3']) {
    store.nodes.join({ ...FACTS, nodeName }, 60_000);
    const of = (n: number): JsonObject =>
      version(n, {
        node_id: nodeName,
        help_md: `${text}${n % 2}`,
        mounts: [{ mount_id: 'a', mount_path: `/nodes/${nodeName}/a` }],
      });
    for (let n = 1; n <= 6; n++) store.nodes.upsert(nodeName, [of(n % 2)]);
  }
  t.ok(store.history.bytes < 25_000, `${store.history.bytes} bytes for two texts`);
  t.equal(all(store).length, 6);
  t.match(descriptorAfter(store.history.of('n2', 'a'), historyForAdmins(store.history.of('n2', 'a'))[0]!), {
    node_id: 'n2',
    mounts: [{ mount_id: 'a', mount_path: '/nodes/n2/a' }],
  });
  store.nodes.delete('n1');
  t.match(
    descriptorAfter(store.history.of('n3', 'a'), historyForAdmins(store.history.of('n3', 'a'))[0]!),
    { node_id: 'n3' },
    'others need it still',
  );
  store.nodes.delete('n2');
  t.ok(store.history.bytes > 20_000, 'and are charged with it');
  store.nodes.delete('n3');
  t.equal(store.history.bytes, 0);
  t.end();
});

t.test('retention by number, age and size forgets the oldest, but never what runs', (t) => {
  const clock = new FakeClock();
  const under = storeFor(t, { clock, historyRetention: { maxChanges: 3, maxAgeMs: 1000, maxBytes: 50_000 } });
  const store = withNode(under);
  for (let n = 0; n <= 6; n++) put(store, version(n), descriptor('quiet'));
  t.same(said(all(store)), [
    ['updated', '3'],
    ['updated', '4'],
    ['updated', '5'],
    ['updated', '6'],
  ]);
  t.equal(all(store)[0]!.previous, null, 'what it was before is not known any more');
  t.equal(said(forUser(store))[0]![0 as never], 'added');
  for (let n = 0; n < 9; n++) control(store, 'config');
  t.same(said(all(store)), [
    ['updated', '6'],
    ['config', '6'],
    ['config', '6'],
    ['config', '6'],
  ]);
  clock.advance(2000);
  store.history.sweep();
  t.same(said(all(store)), [['updated', '6']]);
  t.same(said(all(store, 'quiet')), [['added', '1']]);
  t.equal(store.history.bytes, 0);

  store.nodes.join({ ...FACTS, nodeName: 'greedy' }, 60_000);
  put(store, version(7), descriptor('quiet'));
  put(store, version(8), descriptor('quiet'));
  const wide = (n: number): JsonObject[] =>
    Array.from({ length: 20 }, (_, at) =>
      descriptor(`s${at}`, { help_md: `${n} ${at} ${'y'.repeat(2000)}` }),
    );
  for (let n = 0; n < 8; n++) store.nodes.upsert('greedy', wide(n));
  t.ok(store.history.bytes <= 50_000, `${store.history.bytes} bytes`);
  t.same(
    said(all(store)),
    [
      ['updated', '6'],
      ['updated', '7'],
      ['updated', '8'],
    ],
    'another node loses nothing by it',
  );
  const bytes = store.history.bytes;
  t.equal(under.reopen().history.bytes, bytes, 'what is counted is what is there');
  t.end();
});

t.test('users count the versions that they may see, and learn of no other', (t) => {
  const store = withNode(storeFor(t));
  const hidden = { permissions: { allow_roles: ['admin'] } };
  put(store, version(1, hidden));
  put(store, version(2));
  control(store, 'disable');
  put(store, version(3, { ...hidden, secret_field: true }));
  control(store, 'config');
  put(store, version(4));
  put(store, version(5, hidden));
  put(store, version(5, { ...hidden, help_md: 'other' }));
  put(store, version(4));
  put(store);
  put(store, version(6, hidden));
  put(store);
  put(store, version(7));
  t.equal(all(store).length, 13);
  const shown = forUser(store);
  t.same(
    shown.map((change) => [
      change.n,
      change.change,
      change.version?.version ?? null,
      change.previous?.version.version ?? null,
    ]),
    [
      [1, 'added', '2', null],
      [2, 'disabled', '2', '2'],
      [3, 'updated', '4', '2'],
      [4, 'removed', null, '4'],
      [5, 'added', '7', null],
    ],
  );
  t.same(shown[2]!.fields, ['/version', '/help_md'], 'compared with what they saw last');
  const records = store.history.of(NODE, 'a');
  const text = JSON.stringify(
    shown.map((change) => [changeAsJson(change, false), diffOfChange(records, change)]),
  );
  for (const word of ['secret_field', 'revision', 'source', 'Text 1', 'Text 3', 'Text 5', 'Text 6'])
    t.notMatch(text, word);
  t.match(
    diffOfChange(records, shown[2]!),
    /^--- a\/1\.json\n\+\+\+ a\/3\.json\n/,
    'by the numbers that they know',
  );
  t.end();
});

t.test('the manifest that a version is from is kept, also when the service moves to another', (t) => {
  const store = withNode(storeFor(t));
  const from = (file: string): JsonObject => ({ files: [{ file, service_id: 'a' }] });
  const report = (file: string, descriptor: JsonObject): void =>
    store.change(() => {
      store.nodes.describe(NODE, { reload: from(file) });
      put(store, descriptor);
    });
  report('/etc/one.json', version(1));
  report('/etc/two.json', version(2));
  const sources = (): unknown[] => all(store).map((change) => changeAsJson(change, true)['source']);
  t.same(sources(), ['/etc/one.json', '/etc/two.json']);
  put(store);
  t.same(sources(), ['/etc/one.json', '/etc/two.json', '/etc/two.json']);
  t.end();
});

t.test('a change that is rolled back leaves no entry, and nothing counted', (t) => {
  const store = withNode(storeFor(t));
  put(store, version(1));
  put(store, version(2));
  const { bytes } = store.history;
  t.throws(() =>
    store.change(() => {
      put(store, version(3));
      control(store, 'disable');
      throw new Error('no');
    }),
  );
  t.same(said(all(store)), [
    ['added', '1'],
    ['updated', '2'],
  ]);
  t.equal(store.history.bytes, bytes);
  put(store, version(4));
  t.same(said(all(store)).at(-1), ['updated', '4']);
  t.end();
});

t.test('a database of an earlier format gets an entry for what runs', (t) => {
  const under = storeFor(t);
  const store = withNode(under);
  put(store, version(1), descriptor('b'));
  put(store, version(2), descriptor('b'));
  store.close();
  const path = join(under.options.stateDir, 'control.db');
  const db = new Database(path);
  db.exec(
    `DROP TABLE service_changes; DROP TABLE version_texts; DROP TABLE reload_reports; ALTER TABLE nodes DROP COLUMN replica;
     ${['vision', 'status', 'kind', 'delete_protected', 'mounts'].map((name) => `ALTER TABLE projects DROP COLUMN ${name};`).join(' ')}
     DROP INDEX sessions_by_name; ALTER TABLE sessions DROP COLUMN name; ALTER TABLE sessions DROP COLUMN replica; DROP TABLE console_links;
     PRAGMA user_version=4`,
  );
  db.close();
  under.store = new ControlStore(under.options);
  const now = under.store;
  t.same(said(all(now)), [['added', '2']]);
  t.match(all(now)[0]!.version?.hash, now.nodes.get(NODE)!.services.get('a')!.hash);
  t.ok(statSync(`${path}.format4.bak`).size > 0);
  t.end();
});
