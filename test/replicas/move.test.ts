import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EmbeddedLog } from '../../lib/cluster/index.js';
import {
  backUpStore,
  ControlStore,
  exportStore,
  importIntoStore,
  restoreStore,
} from '../../lib/control/index.js';
import { ReplicatedStores } from '../support/replicas.js';
import { descriptor, FACTS, temporaryDir } from '../support/store.js';

const WHEN = { release: '1.2.3', nowMs: 1_700_000_000_000 };

t.test('a control plane moves into a store, and back, with all that it knows', async (t) => {
  const stateDir = temporaryDir(t);
  const before = new ControlStore({ stateDir });
  const { token } = before.tokens.create({ role: 'user', agentId: 'a' });
  before.projects.create('p', { nodes: ['n1'] }, true);
  before.nodes.join(FACTS, 60_000);
  before.nodes.upsert('n1', [descriptor('a'), descriptor('b')]);
  before.nodes.upsert('n1', [descriptor('a', { version: '2' })]);
  const session = { id: 's', role: 'user', agentId: 'a', project: null, revoked: false } as const;
  before.userEvents.of(session);
  const facts = (store: ControlStore): unknown => ({
    tokens: store.tokens.list(),
    projects: store.projects.list(),
    events: store.events.recent(999),
    audit: store.audit.tail(999),
    keys: store.keys,
    services: [...store.nodes.require('n1').services.keys()],
    view: store.userEvents.of(session).id,
    history: store.history.of('n1', 'a').changes,
  });
  const known = facts(before);
  before.close();

  const dir = temporaryDir(t);
  const path = join(dir, 'log.db');
  const log = new EmbeddedLog(path);
  t.teardown(() => log.close());
  const { aside } = await importIntoStore(log, stateDir);
  t.ok(existsSync(aside));
  t.notOk(existsSync(join(stateDir, 'control.db')), 'nobody starts with it by mistake');
  await t.rejects(importIntoStore(log, stateDir), { code: 'ENOENT' });

  const replicas = new ReplicatedStores(t, () => new EmbeddedLog(path));
  const shared = await replicas.add({ stateDir });
  t.same(facts(shared), known);
  t.ok(shared.tokens.verify(token));
  await shared.commit(() => shared.projects.create('later', {}, false));

  const other = temporaryDir(t);
  new ControlStore({ stateDir: other }).close();
  await t.rejects(importIntoStore(log, other), { code: 'EEXIST' }, 'a store that is not empty is left alone');

  const file = join(dir, 'backup.tgz');
  await backUpStore(log, file, WHEN);
  const empty = new EmbeddedLog(join(dir, 'other.db'));
  t.teardown(() => empty.close());
  t.same(await restoreStore(empty, file), { madeAt: new Date(WHEN.nowMs).toISOString() });
  const restored = await new ReplicatedStores(t, () => new EmbeddedLog(join(dir, 'other.db'))).add();
  t.ok(restored.projects.get('later'));
  t.notSame(restored.keys.cursor, shared.keys.cursor, 'what clients know of revisions is void');

  const single = join(dir, 'single');
  await exportStore(log, join(single, 'control.db'));
  const back = new ControlStore({ stateDir: single });
  t.teardown(() => back.close());
  t.ok(back.projects.get('later'));
  t.ok(back.tokens.verify(token));
  t.equal(back.projects.create('alone', {}, false).record.projectId, 'alone');
});
