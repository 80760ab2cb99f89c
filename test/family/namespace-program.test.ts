import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { familyWorld } from './fixtures/family-world.js';
import { ControlProgram } from './fixtures/control-program.js';
import { NamespaceProgram } from './fixtures/namespace-program.js';
import { list, text, type Answer } from './fixtures/reading.js';

const { plane, folder, token } = await familyWorld(t, { files: { 'README.md': 'Read me.\n' } });
const admin = await ControlProgram.start(t, plane.url, { token: token('admin') });
const project = 'web';
await admin.ask('project_create', { project_id: project, nodes: ['n1'] });
const { token: confined } = await admin.ask('token_create', {
  role: 'user',
  projects: [project, 'another'],
});
const named = { agent: 'mount-0f3a', session: 'mount-1', project };

for (const role of ['admin', 'user', 'user of projects'] as const)
  t.test(`a mount of the whole namespace stats, lists, reads and calls, as ${role}`, async (t) => {
    const credential = role === 'user of projects' ? (confined as string) : token(role);
    const program = await NamespaceProgram.start(t, plane.url, credential, named);
    t.match(await program.getattr('/'), { kind: 'dir', mode: 0o40000 | 0o555 });
    t.ok((await program.readdir('/nodes/n1/services')).includes('upper'));
    const file = await program.getattr('/nodes/n1/services/upper/README.md');
    t.match(file, { kind: 'file', writable: false });
    t.equal(file.mode & 0o170000, 0o100000, 'the mode has the type, as in stat(2)');
    t.equal((await program.cat('/nodes/n1/services/upper/README.md')).length, file.size);
    await program.write('/nodes/n1/services/upper/control/invoke.json', '{"text":"mounted"}');
    t.same(JSON.parse(await program.cat('/nodes/n1/services/upper/result.json')), { TEXT: 'MOUNTED' });
    const mayWrite = role === 'admin';
    if (mayWrite) t.equal(await program.write('/nodes/n1/fs/work/README.md', 'READ ME.\n'), 9);
    t.equal(
      await program.cat('/nodes/n1/fs/work/README.md'),
      readFileSync(join(folder, 'README.md'), 'utf8'),
    );
  });

t.test('what fails has the errno that it has in a mount of ours', async (t) => {
  const program = await NamespaceProgram.start(t, plane.url, token('user'), named);
  await t.rejects(program.getattr('/nodes/n1/none'), { message: 'ENOENT' });
  await t.rejects(program.getattr('/nodes/n1/services/hidden'), { message: 'ENOENT' });
  await t.rejects(program.cat('/nodes/n1/services/upper/README.md/x'), { message: 'ENOTDIR' });
  await t.rejects(program.write('/nodes/n1/services/upper/README.md', 'x'), { message: /EROFS|EPERM/ });
  await t.rejects(program.write('/nodes/n1/services/upper/control/invoke.json', '["x"]'), {
    message: 'EINVAL',
  });
});

t.test('a mount that lost its connection goes on, without control.connect', async (t) => {
  const locked = await admin.ask('project_create', { name: 'Locked', nodes: ['n1'] });
  const program = await NamespaceProgram.start(t, plane.url, token('user'), {
    ...named,
    project: text(locked, 'project_id'),
    projectToken: text(locked, 'project_token'),
  });
  const before = await program.control.ask('session_status', { session_key: named.session });
  await program.reconnect();
  t.ok((await program.readdir('/nodes/n1/services')).includes('upper'));
  const after = await program.control.ask('session_status', { session_key: named.session });
  t.equal(after['session'], before['session'], 'in the same session');
});

t.test('without control.connect nothing else is answered, and nobody without a token', async (t) => {
  const asked = { session_key: 'main', agent_id: 'me', project_id: project };
  const early = async (
    name: string,
    payload: object,
    how: { token?: string },
  ): Promise<string | undefined> => {
    const program = await ControlProgram.dial(t, plane.url, how);
    await program.ask('version', { protocol: 'unified-v2' }, 'version_ack');
    const code = await program.codeOf(name, payload);
    program.socket.close();
    return code;
  };
  const user = { token: token('user') };
  t.equal(await early('session_attach', asked, {}), 'handshake_required');
  t.equal(await early('session_attach', { name: 'main', project_id: project }, user), 'handshake_required');
  t.equal(await early('session_status', { session_key: 'main' }, user), 'handshake_required');
  t.equal(await early('workspace_status', {}, user), 'handshake_required');
  t.equal(await early('session_attach', { ...asked, project_id: 'none' }, user), 'project_not_found');
  const { token: named } = await admin.ask('token_create', { role: 'user', agent_id: 'claude' });
  t.equal(await early('session_attach', asked, { token: named as string }), 'forbidden', 'another agent');
});

t.test('an agent is there when it is the own, and no other one is made', async (t) => {
  const { token: named } = await admin.ask('token_create', { role: 'user', agent_id: 'claude' });
  const program = await ControlProgram.start(t, plane.url, { token: named as string });
  t.match(await program.ask('agent_ensure', { agent_id: 'claude', name: 'Claude' }), {
    agent_id: 'claude',
    created: false,
    agent: { id: 'claude', is_default: true },
  });
  t.equal(await program.codeOf('agent_ensure', { agent_id: 'root' }), 'forbidden');
  for (const agent_id of [undefined, null, 5, '', 'a/b', { toString: 1 }, 'x'.repeat(5000)])
    t.match(await program.codeOf('agent_ensure', { agent_id }), /^(invalid_payload|missing_field)$/);
  t.same(
    list(await program.ask('agent_list'), 'agents').map((agent: Answer) => text(agent, 'id')),
    ['claude'],
  );
});

t.test(
  'a mount of a token for some projects finds their endpoints by the session that it is given',
  async (t) => {
    await admin.ask('project_mount_set', {
      ...{ project_id: project, node_id: 'n1', export_name: 'svc-upper', mount_path: '/upper' },
    });
    const program = await ControlProgram.dial(t, plane.url, { token: confined as string });
    await program.ask('version', { protocol: 'unified-v2' }, 'version_ack');
    const welcome = await program.ask('connect', {}, 'connect_ack');
    t.equal(welcome['requires_session_attach'], true);
    const [session_key, agent_id] = [text(welcome, 'session'), text(welcome, 'agent_id')];
    await program.ask('session_attach', { session_key, agent_id, project_id: project });
    const { mounts } = await program.ask('workspace_status', { project_id: project });
    t.match(mounts, [{ mount_path: '/upper', fs_url: /^ws:.*\/v2\/fs/, fs_auth_token: String }]);
  },
);
