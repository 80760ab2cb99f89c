import t from 'tap';
import { walk } from '../../lib/vfs/index.js';
import { ADMIN, TestNode, USER, shellManifest, type Teardown } from '../support/test-node.js';
import { until } from '../support/until.js';
import type { Session } from '../../lib/policy/index.js';

const manifests = [
  shellManifest('tool', 'cat'),
  shellManifest('hidden', 'cat', { permissions: { allow_roles: ['admin'] } }),
];

async function start(t: Teardown) {
  const node = await TestNode.start(t, manifests);
  const mtimeMs = async (path: string, session: Session = ADMIN): Promise<number> => {
    const { mtimeNs } = await (await walk(node.world.root, path, node.op(session))).stat(node.op(session));
    return Number(mtimeNs / 1_000_000n);
  };
  return { node, mtimeMs };
}

/** Waits until the clock has moved on. */
const later = async (): Promise<number> => {
  const at = Date.now();
  await until(() => Date.now() > at + 2, 'the clock');
  return at;
};

t.test('live documents are as old as their last change, not as the first look', async (t) => {
  const { node, mtimeMs } = await start(t);
  const started = await later();
  const live = [
    '/nodes/NODES.json',
    '/nodes/INDEX.tsv',
    '/session.json',
    '/nodes/n1/STATUS.json',
    '/nodes/n1/services/SERVICES.json',
    node.path('tool', 'metrics.json'),
    node.path('tool', 'health.json'),
  ];
  for (const path of live) t.ok((await mtimeMs(path)) <= started, path);
  await node.write(node.path('tool', 'control/invoke.json'), '{}');
  const called = await later();
  for (const name of ['metrics.json', 'health.json', 'status.json', 'result.json']) {
    const at = await mtimeMs(node.path('tool', name));
    t.ok(at > started && at <= called, name);
  }
  await node.write(node.path('tool', 'control/disable'), 'x');
  const disabled = await later();
  const index = await mtimeMs('/nodes/n1/services/SERVICES.json');
  t.ok(index > called && index <= disabled);
});

t.test('two sessions that look in turn do not move the times of each other', async (t) => {
  const { mtimeMs } = await start(t);
  const paths = [
    '/nodes/INDEX.tsv',
    '/nodes/n1/services/SERVICES.json',
    '/nodes/n1/STATUS.json',
    '/session.json',
  ];
  const look = async (session: Session) => Promise.all(paths.map((path) => mtimeMs(path, session)));
  const first = [await look(ADMIN), await look(USER)];
  await later();
  t.same([await look(ADMIN), await look(USER)], first);
});
