import t, { type Test } from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';
import type { JsonObject } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { walk, type Op } from '../../lib/vfs/index.js';

const SERVICES: readonly JsonObject[] = [
  { ...shellManifest('tool', 'cat'), help_md: '# Tool\n\nDoes as it is asked.\n\nAlways.' },
  { service_id: 'page', kind: 'page', permissions: { allow_roles: ['admin', 'user'] } },
  {
    service_id: 'odd',
    kind: 'odd',
    runtime: { type: 'native_inproc', timeout_ms: 5 },
    permissions: { allow_roles: ['admin', 'user'] },
  },
  {
    ...shellManifest('nested', 'cat'),
    mounts: [{ mount_id: 'n', mount_path: '/nodes/{node_id}/tool/inner' }],
    runtime: { type: 'wasm', module_path: 'x.wasm', max_memory_bytes: 1_000_000, timeout_ms: 100 },
  },
];
const DIRS = [
  '',
  '/services',
  ...SERVICES.map((service) => `/services/${service['service_id'] as string}`),
  '/tool',
  '/tool/inner',
];
/** Their content is the node's state, which it alone knows. */
const LIVE = [
  'status.json',
  'result.json',
  'last_error.txt',
  'metrics.json',
  'health.json',
  'config.json',
  'STATUS.json',
];

const op: Op = { session: localSession('admin'), signal: new AbortController().signal };

async function namesIn(files: RawClient, path: string): Promise<{ name: string; kind: string }[]> {
  const { node } = (await find(files, path)).payload;
  const { entries } = (await files.ask('t_fs_readdirp', { node }, {})).payload;
  return (entries as { name: string; kind: string }[]).map(({ name, kind }) => ({ name, kind }));
}

const find = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path: `nodes/n1${path}` });

async function contentOf(files: RawClient, path: string): Promise<{ text: string; mtime: unknown }> {
  const { payload } = await find(files, path);
  const opened = await files.ask('t_fs_open', { node: payload['node'] }, { mode: 'r' });
  const h = opened.payload['handle'];
  const { data_b64: data } = (await files.ask('t_fs_read', { h }, { offset: 0, count: 1_000_000 })).payload;
  await files.ask('t_fs_close', { h });
  return { text: Buffer.from(String(data), 'base64').toString(), mtime: payload['mtime_ns'] };
}

/** All listings, and all documents but those that show the node's state. */
async function shownTo(files: RawClient): Promise<Record<string, unknown>> {
  const shown: Record<string, unknown> = {};
  for (const dir of DIRS) {
    const entries = await namesIn(files, dir);
    shown[`${dir}/`] = entries;
    for (const { name, kind } of entries)
      if (kind === 'file' && !LIVE.includes(name))
        shown[`${dir}/${name}`] = await contentOf(files, `${dir}/${name}`);
    if (entries.some(({ name }) => name === 'control'))
      shown[`${dir}/control`] = await namesIn(files, `${dir}/control`);
  }
  return shown;
}

async function atNode(t: Test, under: PlaneWithNode, path: string): Promise<string> {
  const file = await walk(under.node.node.dir, path, op);
  if (file.kind !== 'file') throw new Error(`${path} is no file`);
  const handle = await file.open(
    { read: true, write: false, append: false, truncate: false, exclusive: false },
    op,
  );
  t.teardown(() => handle.release());
  return Buffer.from(await handle.read(0, 1_000_000, op)).toString();
}

const withoutState = (text: string): string =>
  text.replaceAll(/"state": "(online|offline|degraded)"/g, '"state"');

t.test(
  'a service reads the same at its node, through its control plane, and while its node is away',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', SERVICES);
    const { files } = await under.session({ token: under.token('user') });
    await until(async () => (await find(files, '/services/tool/jobs')).ok === true, 'the tunnel');
    const here = await shownTo(files);
    for (const [path, shown] of Object.entries(here)) {
      // When a change was learned of, each knows by itself.
      if (path.endsWith('/') || path.endsWith('/control') || path.endsWith('/HISTORY.ndjson')) continue;
      t.equal(
        withoutState((shown as { text: string }).text),
        withoutState(await atNode(t, under, path)),
        path,
      );
    }
    t.match(here['/services/tool/HOST.json'], { text: /"platform": ".+-.+"/ });
    t.match(here['/services/tool/SERVICE.json'], { text: /"revision": 1/ });
    t.match(here['/NODE.json'], { text: /"version": "0.0.0"/ });
    under.unlink();
    await until(
      async () => (await find(files, '/services/tool/jobs/latest')).error?.['errno'] === 112,
      'the end of the tunnel',
    );
    const away = await shownTo(files);
    t.same(Object.keys(away), Object.keys(here));
    for (const [path, shown] of Object.entries(away)) {
      if (/SERVICES?\.json$/.test(path))
        t.equal(
          withoutState((shown as { text: string }).text),
          withoutState((here[path] as { text: string }).text),
        );
      else t.same(shown, here[path], path);
    }
    t.match(away['/services/SERVICES.json'], { text: /"state": "offline"/ });
  },
);
