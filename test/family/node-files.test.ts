import { readFileSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { errnoOf } from '../support/test-node.js';
import { PlaneProcesses, untilOnline } from '../support/plane-processes.js';
import { ControlProgram } from './fixtures/control-program.js';
import { MountProgram } from './fixtures/mount-program.js';
import { NodeFiles } from './fixtures/node-files.js';
import { RawSocket } from './fixtures/raw-socket.js';
import { ShellProgram } from './fixtures/shell-program.js';

t.setTimeout(120_000);

const plane = await PlaneProcesses.start(t);
const token = (role: 'admin' | 'user'): string => readFileSync(plane.tokenFile(role), 'utf8').trim();
const admin = await ControlProgram.start(t, plane.url, { token: token('admin') });
const { invite_token } = await admin.ask('node_invite_create', { expires_in_ms: 60_000 });
const proof = await admin.ask('node_join', { invite_token, node_name: 'far', fs_url: '' });
const { node_id, node_secret } = proof;
const echo = {
  ...{ service_id: 'echo', kind: 'echo', version: '1', state: 'online', help_md: 'Says it again.' },
  ...{
    endpoints: ['/nodes/far/echo'],
    runtime: { type: 'native_proc', executable_path: '/bin/cat' },
    permissions: { default: 'allow' },
  },
};
await admin.ask('node_service_upsert', { node_id, node_secret, services: [echo] });

const tunnel = await RawSocket.dial(t, `${plane.url}/v2/node`);
if (typeof tunnel === 'string') throw new Error(tunnel);
const hello = { protocol: 'unified-v2-fs', proto: 2, node_id, node_secret };
tunnel.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload: hello });
await tunnel.next(({ tag }) => tag === 1, 'the answer to hello');
const files = new NodeFiles(tunnel);
const served = files.serve().catch(() => undefined);
t.teardown(async () => {
  files.stop();
  await served;
});

const mount = await plane.mount();
await untilOnline(mount, 'far');
const service = join(mount, 'nodes/far/services/echo');
const folder = join(mount, 'nodes/far/fs/work');

t.test("a service of a node of the family's is called through a mount of ours, and answers", async (t) => {
  await writeFile(join(service, 'control/invoke.json'), '{"text":"hi"}');
  t.same(JSON.parse(await readFile(join(service, 'result.json'), 'utf8')), { text: 'hi' });
  t.match(await readFile(join(service, 'README.md'), 'utf8'), /Says it again/, 'the catalog says what it is');
  t.notOk(
    files.requests.some((frame) => 's' in frame || 'n' in frame),
    'it is sent nothing that it does not know',
  );
});

t.test('its other exports are folders: read, written, made, moved, cut and removed', async (t) => {
  t.same(await readdir(folder), ['notes.txt']);
  t.equal(await readFile(join(folder, 'notes.txt'), 'utf8'), 'Far away.\n');
  await writeFile(join(folder, 'new'), 'x'.repeat(300_000));
  t.equal((await readFile(join(folder, 'new'), 'utf8')).length, 300_000);
  t.equal((await stat(join(folder, 'new'))).size, 300_000);
  await mkdir(join(folder, 'sub'));
  await rename(join(folder, 'new'), join(folder, 'sub/moved'));
  t.same(await readdir(join(folder, 'sub')), ['moved']);
  await writeFile(join(folder, 'sub/moved'), 'short');
  t.equal(await readFile(join(folder, 'sub/moved'), 'utf8'), 'short');
  await rm(join(folder, 'sub/moved'));
  t.equal(await errnoOf(() => readFile(join(folder, 'sub/moved'))), 'ENOENT');
});

t.test("the family's own mount and shell reach them through the control plane", async (t) => {
  const program = await MountProgram.start(t, `${plane.url}/v2/fs/node/far`, token('admin'));
  t.match(
    program.exports.map(({ name }) => name),
    ['svc-echo', 'work'],
  );
  const invoke = await program.at('svc-echo', 'control/invoke.json');
  await program.write(invoke.id, '{"text":"again"}');
  t.match(await program.read((await program.at('svc-echo', 'result.json')).id), /again/);
  t.equal(await program.read((await program.at('work', 'notes.txt')).id), 'Far away.\n');
  const shell = await ShellProgram.start(t, plane.url, { token: token('admin') });
  t.match(await shell.read('/nodes/far/services/echo/result.json'), /again/);
});

t.test(
  'a user sees what the catalog says of it, and nothing that is live: it could not tell users apart',
  async (t) => {
    const shell = await ShellProgram.start(t, plane.url, { token: token('user') });
    t.match(await shell.read('/nodes/far/services/echo/README.md'), /Says it again/);
    const before = files.requests.length;
    for (const path of ['services/echo/result.json', 'fs/work/notes.txt'])
      await t.rejects(shell.read(`/nodes/far/${path}`), path);
    await t.rejects(shell.write('/nodes/far/services/echo/control/invoke.json', '{}'));
    const asked = files.requests.slice(before).map(({ type }) => type);
    t.notOk(
      asked.some((type) => /_(read|write|open)$/.test(type)),
      'nothing was asked for a user',
    );
  },
);

t.test(
  'a newer node, which calls the protocol by another name, takes over and serves the same',
  async (t) => {
    const newer = await RawSocket.dial(t, `${plane.url}/v2/node`);
    if (typeof newer === 'string') throw new Error(newer);
    const said = { ...hello, protocol: 'spiderweb-fs' };
    newer.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload: said });
    t.match(await newer.next(({ tag }) => tag === 1, 'the answer to hello'), {
      type: 'acheron.r_fs_hello',
      payload: { protocol: 'spiderweb-fs', proto: 2 },
    });
    const own = new NodeFiles(newer);
    const serving = own.serve().catch(() => undefined);
    const shell = await ShellProgram.start(t, plane.url, { token: token('admin') });
    await shell.write('/nodes/far/services/echo/control/invoke.json', '{"text":"newer"}');
    t.same(JSON.parse(await shell.read('/nodes/far/services/echo/result.json')), { text: 'newer' });
    t.ok(own.requests.length > 0, 'it was asked, and no other');
    own.stop();
    await serving;
  },
);

t.test('answers that no node would give harm nobody', async (t) => {
  const far = await RawSocket.dial(t, `${plane.url}/v2/node`);
  if (typeof far === 'string') throw new Error(far);
  far.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload: hello });
  await far.next(({ tag }) => tag === 1, 'the answer to hello');
  const hostile: unknown[] = [
    { attr: { id: -1, k: 9, m: 'x', sz: 1e300, at: null } },
    { attr: { id: 1e21, k: 2, at: '9'.repeat(400) } },
    { attr: [] },
    {
      exports: [
        { name: '../x', root: 1 },
        { name: 'svc-echo', root: 'one' },
        null,
        { name: 'svc-echo', root: 5 },
      ],
    },
    { ents: [{ name: 'a/b', attr: {} }, 7, { name: 'x' }], next_cookie: -4 },
    { h: 'handle', caps: 7, data_b64: '*' },
    {},
  ];
  let count = 0;
  let isOver = false;
  const serve = async (): Promise<void> => {
    while (!isOver) {
      const frame = await far.next(({ type }) => isOver || type.startsWith('acheron.t_'), 'a request');
      const payload = hostile[count++ % hostile.length];
      const type = frame.type.replace('.t_', '.r_');
      far.send({ channel: 'acheron', tag: frame['tag'], type, ok: true, payload });
      far.send({ channel: 'acheron', type: 'acheron.e_fs_inval', payload: { node: 'x', what: 3 } });
      far.send({
        channel: 'acheron',
        type: 'acheron.r_fs_read',
        tag: 2,
        ok: true,
        payload: { data_b64: 'eA==' },
      });
    }
  };
  const answering = serve().catch(() => undefined);
  const shell = await ShellProgram.start(t, plane.url, { token: token('admin') });
  for (let turn = 0; turn < 12; turn++)
    for (const path of ['services/echo/result.json', 'fs/work/notes.txt', 'fs'])
      await shell.read(`/nodes/far/${path}`).catch(() => undefined);
  isOver = true;
  far.close();
  await answering;
  t.match(await admin.ask('node_list', {}), { nodes: [{ node_id: 'far' }] }, 'the control plane goes on');
  t.ok(count > 12, `it was asked ${count} times`);
});
