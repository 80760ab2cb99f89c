import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { shellManifest } from '../support/test-node.js';
import { familyWorld } from './fixtures/family-world.js';
import { ControlProgram } from './fixtures/control-program.js';
import { MountProgram } from './fixtures/mount-program.js';
import { ShellProgram } from './fixtures/shell-program.js';

const { plane, folder, token } = await familyWorld(t, {
  files: { 'README.md': 'Read me.\n' },
  services: [shellManifest('slow', 'sleep 60')],
});
const shell = (role: 'admin' | 'user'): Promise<ShellProgram> =>
  ShellProgram.start(t, plane.url, { token: token(role) });

t.test('the shell client says hello, and is told where it is', async (t) => {
  const program = await shell('user');
  const version = await program.ask('version', { msize: 1_048_576, version: 'acheron-1' });
  t.match(version, {
    msize: 1_048_576,
    version: 'acheron-1',
    payload: { msize: 1_048_576, version: 'acheron-1' },
  });
  const attached = await program.bootstrap();
  t.match(attached, {
    ok: true,
    payload: { layout: 'worldfs-v1', roots: /.*/, qid: { path: Number, type: 'dir' } },
  });
  t.ok((attached.payload?.['roots'] as string[]).includes('/nodes'));
});

t.test('the shell client lists, reads, stats and walks the tree', async (t) => {
  const program = await shell('admin');
  t.same((await program.read('/nodes/n1/services')).trim().split('\n').sort(), [
    'SERVICES.json',
    'fs',
    'hidden',
    'slow',
    'upper',
  ]);
  t.equal(await program.read('/nodes/n1/fs/work/README.md'), 'Read me.\n');
  t.match(await program.stat('/nodes/n1/fs/work'), { name: 'work', kind: 'dir', qid: { type: 'dir' } });
  t.match(await program.stat('/nodes/n1/fs/work/README.md'), {
    kind: 'file',
    size: 9,
    mode: 'rw',
    mtime_ms: Number,
  });
  t.same(await program.tree('/nodes/n1/fs', 8), [
    '/nodes/n1/fs',
    '/nodes/n1/fs/work',
    '/nodes/n1/fs/work/README.md',
    '/nodes/n1/fs/work/sub',
  ]);
  t.equal(await program.write('/nodes/n1/fs/work/README.md', 'Now.'), 4);
  t.equal(readFileSync(join(folder, 'README.md'), 'utf8'), 'Now. me.\n');
  await t.rejects(program.read('/nodes/n1/none'), { message: 'not_found' });
  t.equal((await program.stat('/'))['kind'], 'dir');
});

t.test(
  'a service is called by a write, which answers when it has run, and its outcome is read',
  async (t) => {
    const program = await shell('user');
    t.equal(await program.write('/nodes/n1/services/upper/control/invoke.json', '{"text":"hi"}'), 13);
    t.same(JSON.parse(await program.read('/nodes/n1/services/upper/result.json')), { TEXT: 'HI' });
    t.match(JSON.parse(await program.read('/nodes/n1/services/upper/jobs/latest/status.json')), {
      state: 'ok',
    });
    await t.rejects(program.write('/nodes/n1/services/upper/control/invoke.json', '["hi"]'), {
      message: 'invalid_payload',
    });
    const fid = await program.walk('/nodes/n1/services/upper/control/invoke.json');
    await program.ask('open', { fid, mode: 'rw' });
    const data_b64 = Buffer.from('{"text":"own"}').toString('base64');
    const written = await program.ask('write', { fid, offset: 0, data_b64, correlation_id: 'c-1' });
    t.match(written.payload, { n: 14, correlation_id: 'c-1' });
    const { payload } = await program.ask('read', { fid, offset: 0, count: 1000 });
    t.same(JSON.parse(Buffer.from(payload?.['data_b64'] as string, 'base64').toString()), { TEXT: 'OWN' });
    t.match(await program.ask('flush', { fid }), { ok: true });
    await program.ask('clunk', { fid });
    t.match(await program.reply('read', { fid }), { ok: false, error: { code: 'not_found' } });
  },
);

t.test('a user sees what a user may, also of what is open when that changes', async (t) => {
  const program = await shell('user');
  for (const path of ['/control', '/nodes/n1/services/hidden'])
    await t.rejects(program.walk(path), { message: 'not_found' }, path);
  const fid = await program.walk('/nodes/n1/services/upper/README.md');
  await program.ask('open', { fid, mode: 'r' });
  const admin = await ControlProgram.start(t, plane.url, { token: token('admin') });
  await admin.ask('project_create', { project_id: 'closed', nodes: ['n1'] });
  t.match(await program.reply('stat', { fid }), { ok: false, error: { code: 'not_found' } });
  await t.rejects(program.read('/nodes/n1/services/upper/README.md'), { message: 'not_found' });
  await program.control.ask('session_attach', { session_key: 'main', agent_id: 'me', project_id: 'closed' });
  t.match(await program.read('/nodes/n1/services/upper/README.md'), /upper/, 'as the session it has now');
  await admin.ask('project_delete', { project_id: 'closed' });
});

t.test('a mount finds what a project mounts, and reads and calls through it', async (t) => {
  const admin = await ControlProgram.start(t, plane.url, { token: token('admin') });
  const { project_id, project_token } = await admin.ask('project_create', { name: 'Mounted' });
  for (const [export_name, mount_path] of [
    ['work', '/work'],
    ['svc-upper', '/upper'],
    ['svc-hidden', '/hidden'],
  ])
    await admin.ask('project_mount_set', { project_id, node_id: 'n1', export_name, mount_path });
  const user = await ControlProgram.start(t, plane.url, { token: token('user') });
  const { mounts } = await user.ask('workspace_status', { project_id, project_token });
  const found = mounts as {
    mount_path: string;
    fs_url: string;
    export_name: string;
    fs_auth_token: string;
  }[];
  t.same(
    found.map(({ mount_path }) => mount_path),
    ['/work', '/upper'],
  );
  for (const { fs_url, fs_auth_token, export_name } of found) {
    const program = await MountProgram.start(t, fs_url, fs_auth_token);
    if (export_name === 'work') t.equal((await program.at('work', 'README.md')).k, 1);
    else {
      const invoke = await program.at(export_name, 'control/invoke.json');
      await program.write(invoke.id, '{"text":"mounted"}');
      const result = await program.at(export_name, 'result.json');
      t.same(JSON.parse(await program.read(result.id)), { TEXT: 'MOUNTED' });
    }
  }
  const [{ fs_url, fs_auth_token: files } = { fs_url: '', fs_auth_token: '' }] = found;
  await t.rejects(ControlProgram.start(t, plane.url, { token: files }), { message: / 401 / }, 'files alone');
  await t.rejects(MountProgram.start(t, fs_url, `${files.slice(0, -1)}!`), { message: 'errno 13' });
  const another = files.replace(/s-(.)/, (_, first) => `s-${first === '0' ? '1' : '0'}`);
  await t.rejects(MountProgram.start(t, fs_url, another), { message: 'errno 13' });

  const own = await ControlProgram.start(t, plane.url, { token: token('user') });
  const named = { session_key: 'mine', agent_id: 'default', project_id, project_token };
  await own.ask('session_attach', named);
  const ofSession = (await own.ask('workspace_status'))['fs_auth_token'] as string;
  t.not(ofSession, files, 'a session that was attached has a token of its own');
  const reading = await MountProgram.start(t, fs_url, ofSession);
  await own.ask('session_close', { session_key: 'mine' });
  await t.rejects(reading.at('work', 'README.md'), 'with the session its files end');
  await t.rejects(MountProgram.start(t, fs_url, ofSession), { message: 'errno 13' });
  await admin.ask('project_token_rotate', { project_id });
  await t.rejects(
    MountProgram.start(t, fs_url, files),
    { message: 'errno 2' },
    'who proved an old token sees nothing of what asks for it',
  );
});

t.test('fields of the wrong kind are refused one by one, and the connection lives', async (t) => {
  const program = await shell('user');
  const fid = await program.walk('/README.md');
  const dir = await program.walk('/nodes');
  await program.ask('open', { fid: dir, mode: 'r' });
  const hostile: [string, object][] = [
    ['walk', { fid: 1, newfid: 9, path: ['..', '..', 'etc'] }],
    ['walk', { fid: 1, newfid: 9, path: ['nodes/n1'] }],
    ['walk', { fid: 1, newfid: 9, path: [''] }],
    ['walk', { fid: 1, newfid: 9, path: 'nodes' }],
    ['walk', { fid: 1, newfid: 9, path: [{ toString: 1 }] }],
    ['walk', { fid: 1, newfid: -1, path: [] }],
    ['walk', { fid: 1, path: ['nodes'] }],
    ['walk', { fid: 1, newfid: 9, path: new Array(1000).fill('nodes') }],
    ['walk', { fid: 77, newfid: 9, path: [] }],
    ['open', { fid, mode: 'rwx' }],
    ['open', { fid, mode: 'w' }],
    ['open', { fid: dir, mode: 'r' }],
    ['read', { fid, offset: 0, count: 1 }],
    ['read', { fid: dir, offset: -1 }],
    ['read', { fid: dir, count: 'all' }],
    ['write', { fid: dir, data_b64: '' }],
    ['write', { fid, offset: 0, data_b64: '!!' }],
    ['write', { fid, offset: 0 }],
    ['stat', { fid: '1' }],
    ['create', { fid, name: 'x' }],
  ];
  for (const [name, fields] of hostile)
    t.match(
      await program.reply(name, fields),
      { ok: false, error: { code: String } },
      `${name} ${JSON.stringify(fields)}`,
    );
  for (let n = 0; n < 300; n++) await program.reply('walk', { fid: 1, newfid: 1000 + n, path: [] });
  t.match(await program.reply('walk', { fid: 1, newfid: 2000, path: [] }), { ok: false }, 'fids are counted');
  t.match(await program.ask('read', { fid: dir, offset: 0, count: 1e12 }), { payload: { eof: true } });
  program.control.socket.send({ channel: 'acheron', type: 'acheron.t_walk', tag: 5 });
  t.match(await program.control.socket.next(({ tag }) => tag === 5), { ok: false });
});

t.test('who goes while a call runs ends it', async (t) => {
  const program = await shell('user');
  const fid = await program.walk('/nodes/n1/services/slow/control/invoke.json');
  await program.ask('open', { fid, mode: 'rw' });
  const data_b64 = Buffer.from('{}').toString('base64');
  program.control.socket.send({
    channel: 'acheron',
    type: 'acheron.t_write',
    tag: 9999,
    fid,
    offset: 0,
    data_b64,
  });
  const other = await shell('user');
  const status = async (): Promise<string> =>
    (JSON.parse(await other.read('/nodes/n1/services/slow/status.json')) as { state: string }).state;
  const reached = async (state: string): Promise<void> => {
    while ((await status()) !== state);
  };
  await reached('running');
  program.control.socket.close();
  await reached('cancelled');
  t.equal(await status(), 'cancelled');
});
