import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect, type Client } from '../../lib/api/index.js';
import type { JsonObject } from '../../lib/core/index.js';
import { localSession } from '../../lib/policy/index.js';
import { walk, type Op } from '../../lib/vfs/index.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { READ_WRITE, shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const DIR = '/control/nodes/n1';

async function clientOf(t: Test, under: PlaneWithNode, role: 'admin' | 'user'): Promise<Client> {
  const client = await connect({ url: under.plane.url, token: under.token(role) });
  t.teardown(() => client.close());
  return client;
}

const textOf = (id: string, help: string): string =>
  JSON.stringify(shellManifest(id, 'cat', { help_md: help }), null, 2);
const BROKEN =
  '{\n  "service_id": "tool",\n  "kind": "test",\n  "runtime": { "type": 7, "env": { "TOKEN": "s3cret" } }\n}\n';

/** Whoever asks: the far side knows the session by its token. */
const OP: Op = { session: localSession('admin'), signal: new AbortController().signal };

/** The newest report on a reload that the control plane has, once there are so many. */
async function report(client: Client, n: number): Promise<JsonObject> {
  await until(async () => (await client.list(`${DIR}/reloads`)).includes(`${n}.json`), `report ${n}`);
  return JSON.parse(await client.read(`${DIR}/reloads/${n}.json`)) as JsonObject;
}

for (const joined of ['here', 'through a tunnel'] as Joined[])
  t.test(`each reload is reported, file by file, to admins: a node ${joined}`, async (t) => {
    const under = await PlaneWithNode.start(t, joined, [
      shellManifest('tool', 'cat'),
      shellManifest('other', 'cat'),
    ]);
    const [admin, user] = [await clientOf(t, under, 'admin'), await clientOf(t, under, 'user')];
    const file = (name: string): string => join(under.node.manifests, name);
    const save = async (name: string, text: string | null): Promise<void> => {
      if (text === null) rmSync(file(name));
      else writeFileSync(file(name), text);
      await under.node.node.registry.reload();
    };
    t.match(await report(admin, 1), {
      node_id: 'n1',
      reason: 'start',
      files: [
        { path: file('other.json'), outcome: 'added', services: ['other'], digest: /^[0-9a-f]{64}$/ },
        { path: file('tool.json'), outcome: 'added', services: ['tool'] },
      ],
    });
    await save('tool.json', textOf('tool', 'two'));
    t.match(await report(admin, 2), {
      reason: 'change',
      files: [{ outcome: 'unchanged' }, { outcome: 'updated', fields: ['/help_md'], faults: [] }],
    });
    await save('tool.json', BROKEN);
    const refused = await report(admin, 3);
    t.match(refused, {
      files: [
        { outcome: 'unchanged' },
        {
          ...{ outcome: 'last-good', services: ['tool'], version: '1' },
          still_runs: { service_id: 'tool', version: '1', digest: /./ },
          faults: [
            {
              line: 4,
              pointer: '/runtime/type',
              expected: /./,
              got: /7/,
              source: /"type": 7/,
              caret: /^ +\^$/,
            },
          ],
        },
      ],
    });
    t.notMatch(JSON.stringify(refused), 's3cret');
    await save('new.json', '{');
    await save('other.json', null);
    t.match(await report(admin, 5), {
      files: [
        { path: file('new.json'), outcome: 'refused', services: [] },
        { outcome: 'last-good' },
        { outcome: 'removed', services: ['other'] },
      ],
    });
    await save('new.json', null);
    await save('tool.json', `${textOf('tool', 'two')}\n\n`);
    t.match(await report(admin, 7), { files: [{ outcome: 'kept', faults: [] }] });
    for (let n = 0; n < 3; n++) await under.node.node.registry.reload();
    t.equal((await admin.list(`${DIR}/reloads`)).length, 8, 'a reload that changed nothing is none');
    const link = await walk(admin.tree.root, `${DIR}/reloads/latest`, OP);
    t.equal(link.kind === 'symlink' && (await link.readlink(OP)), '7.json');
    await t.rejects(user.list(`${DIR}/reloads`), { code: 'ENOENT' });
    const own = under.node.node.reloads;
    t.same(
      own.numbers().map(({ n }) => n),
      [1, 2, 3, 4, 5, 6, 7],
      'the node keeps the same for itself',
    );
    await under.node.restart();
    t.equal(under.node.node.reloads.numbers().length, 7, 'a start on what is as it was is no news');
    writeFileSync(file('tool.json'), textOf('tool', 'three'));
    await under.node.restart();
    t.match(under.node.node.reloads.get(8), {
      reason: 'start',
      files: [{ outcome: 'updated', fields: ['/help_md'] }],
    });
  });

/** What the plan of these files is, as a program asks for it. */
async function plan(client: Client, request: JsonObject): Promise<JsonObject> {
  const file = await walk(client.tree.root, `${DIR}/plan.json`, OP);
  if (file.kind !== 'file') throw new Error('no file');
  const handle = await file.open(READ_WRITE, OP);
  try {
    const text = Buffer.from(JSON.stringify(request));
    await handle.write(0, text, OP);
    return JSON.parse(Buffer.from(await handle.read(text.length, 1_000_000, OP)).toString()) as JsonObject;
  } finally {
    await handle.release();
  }
}

for (const joined of ['here', 'through a tunnel'] as Joined[])
  t.test(
    `plan.json says what a reload of other texts would do, and does nothing: a node ${joined}`,
    async (t) => {
      const under = await PlaneWithNode.start(t, joined, [
        shellManifest('tool', 'cat'),
        shellManifest('other', 'cat'),
      ]);
      const [admin, user] = [await clientOf(t, under, 'admin'), await clientOf(t, under, 'user')];
      const dir = under.node.manifests;
      if (joined !== 'here')
        await until(
          async () => (await admin.read('/nodes/n1/services/tool/status.json')).includes('idle'),
          'the tunnel',
        );
      t.match(
        await plan(admin, {
          files: { 'tool.json': textOf('tool', 'planned'), 'new.json': textOf('new', 'n') },
        }),
        {
          ...{ node_id: 'n1', changes: 2, faults: 0, kept: ['other'] },
          files: [
            {
              file: join(dir, 'tool.json'),
              outcome: 'updated',
              fields: ['/help_md'],
              diff: /\+ {2}"help_md": "planned"/,
            },
            { file: join(dir, 'new.json'), outcome: 'added', service_id: 'new' },
          ],
        },
      );
      const refused = await plan(admin, { files: { [join(dir, 'tool.json')]: BROKEN } });
      t.match(refused, {
        changes: 0,
        faults: 1,
        files: [{ outcome: 'last-good', faults: [{ line: 4, source: /"type": 7/, caret: /\^$/ }] }],
      });
      t.notMatch(JSON.stringify(refused), 's3cret');
      t.match(await plan(admin, { files: { 'other.json': null } }), {
        changes: 1,
        files: [{ outcome: 'removed', service_id: 'other' }],
      });
      t.match(await plan(admin, { files: { 'tool.json': textOf('tool', 'x') }, in_place_of: [dir] }), {
        files: [{ outcome: 'updated' }, { outcome: 'removed', service_id: 'other' }],
        kept: [],
      });
      for (const bad of [
        {},
        { files: { 'a/b.json': '{}' } },
        { files: { 'a.json': 7 } },
        { files: {}, in_place_of: 'x' },
      ])
        await t.rejects(plan(admin, bad as never), { code: 'EINVAL' }, JSON.stringify(bad));
      await t.rejects(user.read(`${DIR}/plan.json`), { code: 'ENOENT' });
      await t.rejects(user.read('/nodes/n1/@control/plan.json'), { code: 'ENOENT' });
      t.match(JSON.parse(await admin.read('/nodes/n1/services/SERVICES.json')), [
        { service_id: 'other' },
        { service_id: 'tool' },
      ]);
      t.notMatch(await admin.list('/nodes/n1'), ['@control']);
      if (joined === 'here') return;
      under.unlink();
      await until(
        async () => (await admin.read('/nodes/n1/services/tool/status.json')).includes('offline'),
        'the end of the tunnel',
      );
      await t.rejects(plan(admin, { files: {} }), { code: 'EHOSTDOWN' });
    },
  );
