import { writeFileSync } from 'node:fs';
import { open, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { Program } from '../support/plane-processes.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { errnoOf, READ, readAll, shellManifest, temporaryDir, TestNode, USER } from '../support/test-node.js';
import { until } from '../support/until.js';

const SHOWN = [shellManifest('echo', 'cat'), shellManifest('other', 'cat')];
const hidden = (id: string): object => ({ ...shellManifest(id, 'cat'), permissions: {} });

async function rewrite({ manifests, node }: TestNode, id: string, manifest: object): Promise<void> {
  await writeFile(join(manifests, `${id}.json`), JSON.stringify(manifest));
  await node.registry.reload();
}

for (const joined of ['here', 'through a tunnel'] satisfies Joined[]) {
  t.test(`events about what was hidden are sent no more, of a node ${joined}`, async (t) => {
    const under = await PlaneWithNode.start(t, joined, SHOWN);
    const token = under.token('user');
    const { files } = await under.session({ token });
    const find = async (): Promise<unknown> =>
      (await files.ask('t_fs_lookup', { node: 1 }, { path: 'events.ndjson' })).payload['node'];
    const openIt = async (): Promise<unknown> =>
      (await files.ask('t_fs_open', { node: await find() }, { mode: 'r' })).payload['handle'];
    const read = async (h: unknown): Promise<string> => {
      const asked = await files.ask('t_fs_read', { h }, { offset: 0, count: 65536 });
      if (!asked.ok) return `errno ${String(asked.error['errno'])}`;
      return Buffer.from(asked.payload['data_b64'] as string, 'base64').toString();
    };

    const dir = mountDirFor(t);
    const tokenFile = join(temporaryDir(t), 'token');
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const who = ['--control-url', under.plane.url, '--token-file', tokenFile];
    const mount = new Program(t, ['mount', dir, ...who, '--state-dir', join(dir, '..', 'state')]);
    await mount.says(/Mounted on/);
    const path = join(dir, 'events.ndjson');

    const number = await find();
    const h = await openIt();
    t.match(await read(h), /"service_id":"echo"/);
    const held = await open(path);
    t.match((await held.read(Buffer.alloc(65536), 0, 65536, 0)).buffer.toString(), /"echo"/);
    const { ino } = await stat(path);

    await rewrite(under.node, 'echo', hidden('echo'));
    const { nodes } = under.plane.control.store;
    const permissions = (): unknown => nodes.get('n1')?.services.get('echo')?.descriptor['permissions'];
    await until(() => JSON.stringify(permissions()) === '{}', 'the catalog');

    t.equal(await read(h), 'errno 116', 'an open descriptor shows nothing');
    const asked = await files.ask('t_fs_getattr', { node: number });
    t.ok(!asked.ok && asked.error['errno'] === 116, 'nor does what was looked up');
    const text = await read(await openIt());
    t.notMatch(text, /echo/);
    t.match(text, /"service_id":"other"/, 'events of what is shown are shown still');
    await t.rejects(held.read(Buffer.alloc(65536), 0, 65536, 0), { message: /system error -116/ });
    await held.close();
    t.not((await stat(path)).ino, ino, 'the path names another file');
    t.equal(await readFile(path, 'utf8'), text);

    const watched: string[] = [];
    under.client({ token }).watch({
      replayLimit: 100,
      onBegin: () => watched.push('begun'),
      onEvent: (event) => watched.push(JSON.stringify(event)),
    });
    await until(() => watched.includes('begun'), 'the watch');

    const again = await openIt();
    await rewrite(under.node, 'echo', shellManifest('echo', 'cat'));
    await until(async () => /"service_added".*"echo"/.test(await read(again)), 'it is shown again');
    t.equal((await read(again)).match(/echo/g)?.length, 1, 'from then on, and what was before is not');
    t.ok((await read(again)).startsWith(text), 'a stream grows at its end');
    await until(() => watched.some((event) => event.includes('echo')), 'the watcher hears of it');
    t.equal(watched.filter((event) => event.includes('echo')).length, 1, 'and of nothing before it');

    await under.admin.request('project_create', { project_id: 'p1', nodes: ['n1'] });
    t.equal(await read(again), 'errno 116');
    t.equal(await read(await openIt()), '', 'nothing of the node is left');
  });
}

t.test('events of a node by itself leave out what was hidden, also when it is removed', async (t) => {
  const node = await TestNode.start(t, SHOWN);
  await rewrite(node, 'echo', { ...shellManifest('echo', 'cat'), version: '2' });
  await rewrite(node, 'other', { ...shellManifest('other', 'cat'), version: '2' });
  const handle = await node.open('/events.ndjson', READ, USER);
  const before = await readAll(handle, node.op(USER));
  t.match(before, /"service_id":"echo".*\n.*"service_id":"other"/);
  const admins = await node.open('/events.ndjson', READ);

  await rewrite(node, 'echo', hidden('echo'));
  t.equal(await errnoOf(() => handle.read(0, 10, node.op(USER))), 'ESTALE');
  t.match(
    await readAll(admins, node.op()),
    /"echo".*\n.*"other".*\n.*"echo"/,
    'nothing changes for an admin',
  );
  t.notMatch(await node.read('/events.ndjson', USER), /echo/);
  t.match(await node.read('/events.ndjson', USER), /other/);
  await rewrite(node, 'echo', shellManifest('echo', 'cat'));
  t.equal((await node.read('/events.ndjson', USER)).match(/echo/g)?.length, 1);
  await rewrite(node, 'echo', hidden('echo'));
  await unlink(join(node.manifests, 'echo.json'));
  await node.node.registry.reload();
  t.match(await node.read('/events.ndjson'), /"service_removed".*"echo"/);
  t.notMatch(await node.read('/events.ndjson', USER), /echo/, 'what is gone was hidden before');
});
