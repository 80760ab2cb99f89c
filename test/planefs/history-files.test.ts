import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect, type Client } from '../../lib/api/index.js';
import type { JsonObject } from '../../lib/core/index.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const DIR = '/nodes/n1/services/tool';
const tool = (text: string, more: JsonObject = {}): JsonObject =>
  shellManifest('tool', 'cat', { help_md: text, ...more });

async function clientOf(t: Test, under: PlaneWithNode, role: 'admin' | 'user'): Promise<Client> {
  const client = await connect({ url: under.plane.url, token: under.token(role) });
  t.teardown(() => client.close());
  return client;
}

async function save(under: PlaneWithNode, manifest: JsonObject): Promise<void> {
  writeFileSync(join(under.node.manifests, 'tool.json'), JSON.stringify(manifest));
  await under.node.node.registry.reload();
  const { help_md: text } = manifest;
  const { nodes } = under.plane.control.store;
  await until(() => nodes.get('n1')?.services.get('tool')?.descriptor['help_md'] === text, 'the catalog');
}

async function historyOf(client: Client): Promise<JsonObject[]> {
  const text = await client.read(`${DIR}/HISTORY.ndjson`);
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as JsonObject);
}

for (const joined of ['here', 'through a tunnel'] as Joined[])
  t.test(
    `a service's directory shows what it was, to each as he may know it: a node ${joined}`,
    async (t) => {
      const under = await PlaneWithNode.start(t, joined, [
        tool('one', { runtime: { env: { SECRET: 'abc' } } }),
      ]);
      const [admin, user] = [await clientOf(t, under, 'admin'), await clientOf(t, under, 'user')];
      await save(under, tool('two', { permissions: { allow_roles: ['admin'] } }));
      await save(under, tool('three'));
      const lines = await historyOf(admin);
      t.match(lines, [
        { change: 'added', version: '1', previous_hash: null, fields: [] },
        { change: 'updated', fields: ['/runtime/env', '/permissions/allow_roles', '/help_md'] },
        { change: 'updated', fields: ['/permissions/allow_roles', '/help_md'] },
      ]);
      const source = join(under.node.manifests, 'tool.json');
      t.ok(
        lines.every((line) => line['source'] === source),
        'admins see which manifest',
      );
      const [first, second, third] = lines.map(({ revision }) => revision as number);
      const names = [first, second, third].flatMap((n) => [`${n}.json`, `${n}.diff`]);
      t.same(await admin.list(`${DIR}/history`), names);
      t.match(JSON.parse(await admin.read(`${DIR}/history/${second}.json`)), {
        help_md: 'two',
        node_id: 'n1',
      });
      const diff = await admin.read(`${DIR}/history/${third}.diff`);
      t.match(diff, `--- tool/${second}.json\n+++ tool/${third}.json\n`);
      t.match(diff, '-  "help_md": "two",\n+  "help_md": "three",');
      t.notMatch(await admin.read(`${DIR}/history/${first}.json`), 'abc', 'values of env are nowhere');

      t.same(
        (await historyOf(user)).map(({ seq, change, revision, source: from }) => [
          seq,
          change,
          revision,
          from,
        ]),
        [
          [1, 'added', undefined, undefined],
          [2, 'updated', undefined, undefined],
        ],
      );
      t.same(await user.list(`${DIR}/history`), ['1.json', '1.diff', '2.json', '2.diff']);
      const seen = await Promise.all(
        ['1.json', '1.diff', '2.json', '2.diff'].map((name) => user.read(`${DIR}/history/${name}`)),
      );
      t.match(JSON.parse(seen[2]!), { help_md: 'three' });
      t.match(seen[3], '-  "help_md": "one",\n+  "help_md": "three",');
      for (const word of ['two', under.node.manifests]) t.notMatch(seen.join(''), word);
      for (const name of [`${third}.json`, '0.json', '01.json', '3.diff', 'x'])
        if (Number.parseInt(name) > 2 || !/^[12]\./.test(name))
          await t.rejects(user.read(`${DIR}/history/${name}`), { code: 'ENOENT' }, name);
    },
  );

t.test(
  'what admins do to a service is in its history, and what is recorded can be read while its node is away',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', [tool('one')]);
    const [admin, user] = [await clientOf(t, under, 'admin'), await clientOf(t, under, 'user')];
    await until(async () => (await admin.read(`${DIR}/status.json`)).includes('idle'), 'the tunnel');
    await admin.write(`${DIR}/control/disable`, '1\n');
    await admin.write(`${DIR}/config.json`, '{"secret": "abc"}');
    await save(under, tool('two'));
    await until(async () => (await historyOf(admin)).length === 4, 'the records of the node');
    t.same((await historyOf(user)).map(({ change }) => change).sort(), [
      'added',
      'config',
      'disabled',
      'updated',
    ]);
    const here = await Promise.all([historyOf(admin), historyOf(user)]);
    t.notMatch(JSON.stringify(here), 'abc', "what a config says is nobody else's business");
    under.unlink();
    await until(
      async () => (await admin.read(`${DIR}/status.json`)).includes('offline'),
      'the end of the tunnel',
    );
    t.same(await Promise.all([historyOf(admin), historyOf(user)]), here);
    const { revision } = here[0].at(-1)!;
    t.ok((await admin.read(`${DIR}/history/${revision as number}.json`)).length > 0);
  },
);

t.test('a node without a control plane keeps the same for itself, over restarts', async (t) => {
  const under = await PlaneWithNode.start(t, 'through a tunnel', [tool('one')]);
  const { node } = under;
  const read = (path: string): Promise<string> => node.read(`${DIR}/${path}`);
  await save(under, tool('two'));
  await node.write(`${DIR}/control/disable`, '1\n');
  const before = await read('HISTORY.ndjson');
  under.unlink();
  await node.restart();
  t.equal(await read('HISTORY.ndjson'), before, 'a start on what is as it was changes nothing');
  writeFileSync(join(node.manifests, 'tool.json'), JSON.stringify(tool('three')));
  await node.restart();
  const lines = (await read('HISTORY.ndjson'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
  t.match(lines, [
    { revision: 1, change: 'added' },
    { revision: 2, change: 'updated', fields: ['/help_md'], source: join(node.manifests, 'tool.json') },
    { revision: 3, change: 'disabled' },
    { revision: 4, change: 'updated', previous_hash: /./ },
  ]);
  t.match(await read('history/4.diff'), '-  "help_md": "two",\n+  "help_md": "three",');
  t.match(JSON.parse(await read('history/1.json')), { help_md: 'one' });
});
