import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { walk } from '../../lib/vfs/index.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { RawClient, type RawFrame } from '../support/raw-client.js';
import { ADMIN, shellManifest, TestNode } from '../support/test-node.js';
import { until } from '../support/until.js';

const ONE = shellManifest('one', 'cat');
const OTHER = shellManifest('other', 'cat');

const find = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path });

/** A session's client that confirms what it gets, as a mount does. */
async function confirming(t: Test, under: PlaneWithNode, token: string): Promise<RawClient> {
  const { session } = await under.client({ token }).ready();
  const files = await RawClient.connect(`${under.plane.url}/v2/fs`, token);
  t.teardown(() => files.close());
  files.socket.on('message', () => {
    const { sync } = files.pushed.at(-1)?.payload ?? {};
    if (sync !== undefined)
      files.send({ channel: 'acheron', type: 'acheron.e_fs_synced', payload: { sync } });
  });
  const hello = { protocol: 'unified-v2-fs', proto: 2, session, capabilities: { sync: true } };
  await files.ask('t_fs_hello', {}, hello);
  return files;
}

function writeManifest(node: TestNode, manifest: JsonObject): Promise<unknown> {
  writeFileSync(
    join(node.dir, 'manifests', `${manifest['service_id'] as string}.json`),
    JSON.stringify(manifest),
  );
  return node.node.registry.reload();
}

t.test(
  'a service that changes is reported once, and nothing of its neighbours or of other nodes',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', [ONE, OTHER]);
    const { files } = await under.session({ token: under.token('user') });
    const at = 'nodes/n1/services';
    const [one] = await Promise.all(
      [`${at}/one`, `${at}/other`, `${at}/one/README.md`, `${at}/other/README.md`, at].map((path) =>
        find(files, path),
      ),
    );
    await until(async () => (await find(files, `${at}/one/jobs`)).ok === true, 'the tunnel');
    files.pushed.length = 0;
    const { services } = under.plane.control.store.nodes.require('n1');
    await writeManifest(under.node, { ...ONE, help_md: 'Another text.' });
    await until(() => under.plane.control.store.nodes.require('n1').services !== services, 'the catalog');
    await find(files, at);
    t.same(
      files.pushed.map(({ payload }) => payload),
      [{ node: one!.payload['node'], what: 'all', tree: true }],
    );
  },
);

t.test('a node that goes and returns changes only what shows states', async (t) => {
  const under = await PlaneWithNode.start(t, 'through a tunnel', [ONE]);
  const { files } = await under.session({ token: under.token('user') });
  const at = 'nodes/n1/services/one';
  await until(async () => (await find(files, `${at}/jobs`)).ok === true, 'the tunnel');
  const [state] = await Promise.all(
    ['SERVICE.json', 'README.md', 'HOST.json'].map((name) => find(files, `${at}/${name}`)),
  );
  await find(files, `${at}/jobs`);
  files.pushed.length = 0;
  under.unlink();
  await until(() => files.pushed.length > 0, 'the end of the tunnel');
  await find(files, at);
  t.same(
    files.pushed.map(({ payload }) => payload),
    [{ node: state!.payload['node'], what: 'data' }],
  );
});

t.test('a change of policy reaches each mount once, however many sessions there are', async (t) => {
  const under = await PlaneWithNode.start(t, 'here', [ONE]);
  const { store } = under.plane.control;
  store.projects.create('web', {}, false);
  const token = under.token('user');
  const mounts = await Promise.all([1, 2, 3].map(() => confirming(t, under, token)));
  for (const { pushed } of mounts) pushed.length = 0;
  await under.admin.request('project_update', {
    project_id: 'web',
    access_policy: { actions: { invoke: 'admin' } },
  });
  for (const { pushed } of mounts)
    t.equal(pushed.filter(({ payload }) => payload['sync'] !== undefined).length, 1);
});

t.test('a service that is reported can be opened', async (t) => {
  const node = await TestNode.start(t, [ONE]);
  const { events, dir } = node.node;
  const opened: unknown[] = [];
  const push = events.push.bind(events);
  events.push = (event) => {
    opened.push(walk(dir, '/services/later/control/invoke.json', node.op(ADMIN)));
    push(event);
  };
  const reported: string[] = [];
  node.node.changes.on((change) => reported.push(change.what));
  await writeManifest(node, { ...OTHER, service_id: 'later' });
  t.ok(opened.length > 0);
  for (const found of opened) t.match(await (found as Promise<object>), { kind: 'file' });
  t.same(reported, ['tree'], 'and that it came is reported once');
});
