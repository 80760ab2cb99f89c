import t from 'tap';
import { planeFor, type PlaneUnderTest } from '../support/plane.js';
import { ControlProgram } from './fixtures/control-program.js';

/** What the family's control command sends as its key, whatever it does. */
const CONSTANT_KEY = 'c3BpZGVyd2ViLWNvbnRyb2wtY2xp';

/** One command of the control command: a connection for it alone, with an empty payload to connect. */
async function command(
  t: Parameters<typeof ControlProgram.start>[0],
  under: PlaneUnderTest,
  name: string,
  payload: object,
  role: 'admin' | 'user' = 'admin',
): Promise<Record<string, unknown>> {
  const program = await ControlProgram.start(t, under.url, {
    token: under.token(role),
    headers: { 'Sec-WebSocket-Key': CONSTANT_KEY },
    connect: {},
  });
  try {
    return await program.ask(name, payload);
  } finally {
    program.socket.close();
  }
}

/** A node with a folder and services, by the calls that a program makes. */
async function joinNode(program: ControlProgram, node_name: string): Promise<void> {
  const { invite_token } = await program.ask('node_invite_create', {});
  const { node_id, node_secret } = await program.ask('node_join', { invite_token, node_name });
  const permissions = { allow_roles: ['all'] };
  const service = (service_id: string): object => ({
    service_id,
    kind: 'test',
    version: '1',
    state: 'online',
    endpoints: [`/nodes/${node_name}/${service_id}`],
    permissions,
  });
  await program.ask('node_lease_refresh', { node_id, node_secret, lease_ttl_ms: 900_000 });
  await program.ask('node_service_upsert', {
    node_id,
    node_secret,
    services: [service('fs'), service('echo'), { ...service('hidden'), permissions: {} }],
  });
}

t.test('the control command makes a project by its name, and mounts nodes in it', async (t) => {
  const under = await planeFor(t);
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  await joinNode(admin, 'lab');
  const made = await command(t, under, 'project_create', { name: 'Web Shop', vision: 'Sell things.' });
  t.match(made, {
    project_id: 'web-shop',
    name: 'Web Shop',
    vision: 'Sell things.',
    status: 'active',
    kind: 'normal',
    mounts: [],
    mount_count: 0,
    is_delete_protected: false,
    token_locked: true,
    project_token: /^acheron_project_/,
    created_at_ms: Number,
  });
  const project_id = made['project_id'];
  t.match(await command(t, under, 'project_create', { name: 'Web Shop' }), { project_id: 'web-shop-2' });
  const mount = { project_id, node_id: 'lab', export_name: 'work', mount_path: '//src/' };
  t.match(await command(t, under, 'project_mount_set', mount), {
    project_id,
    mounts: [{ mount_path: '/src', node_id: 'lab', export_name: 'work' }],
    mount_count: 1,
  });
  t.match(
    await command(t, under, 'project_mount_set', mount),
    { mount_count: 1 },
    'the same again is no other',
  );
  t.match(await command(t, under, 'project_list', {}), {
    projects: [{ project_id, mount_count: 1 }, { name: 'Web Shop' }],
  });
  t.match(await command(t, under, 'project_mount_list', { project_id }), {
    mounts: [{ mount_path: '/src' }],
  });
  t.match(
    await command(t, under, 'project_update', { project_id, status: 'paused', is_delete_protected: true }),
    { status: 'paused', vision: 'Sell things.', is_delete_protected: true },
  );
  await t.rejects(command(t, under, 'project_delete', { project_id }), { message: 'project_protected' });
  t.match(
    await command(t, under, 'project_mount_remove', { project_id, mount_path: '/src', node_id: 'lab' }),
    { mounts: [] },
  );
  const rotated = await command(t, under, 'project_token_rotate', { project_id });
  t.match(rotated, { project_id, project_token: String, rotated: true, updated_at_ms: Number });
  t.not(rotated['project_token'], made['project_token']);
  t.match(await command(t, under, 'project_token_revoke', { project_id }), {
    project_token: null,
    revoked: true,
  });
  await command(t, under, 'project_update', { project_id, is_delete_protected: false });
  t.match(await command(t, under, 'project_delete', { project_id }), { deleted: true });
});

t.test('what a project cannot be told is refused by a code that says why', async (t) => {
  const under = await planeFor(t);
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  await joinNode(admin, 'lab');
  await admin.ask('project_create', { name: 'p' });
  const at = (mount_path: string): object => ({
    project_id: 'p',
    node_id: 'lab',
    export_name: 'work',
    mount_path,
  });
  await admin.ask('project_mount_set', at('/src/a'));
  const refused: [string, object, string][] = [
    ['project_mount_set', at('/src'), 'mount_conflict'],
    ['project_mount_set', at('/src/a/b'), 'mount_conflict'],
    ['project_mount_set', at('/'), 'mount_conflict'],
    ['project_mount_set', at('src'), 'invalid_payload'],
    ['project_mount_set', at('/src/../etc'), 'invalid_payload'],
    ['project_mount_set', { ...at('/b'), export_name: 'a/b' }, 'invalid_payload'],
    ['project_mount_set', { ...at('/b'), node_id: 'none' }, 'node_not_found'],
    ['project_mount_set', { ...at('/b'), project_id: 'none' }, 'project_not_found'],
    ['project_mount_set', { ...at('/b'), node_id: ['lab'] }, 'invalid_payload'],
    ['project_mount_remove', { project_id: 'p', mount_path: '/none' }, 'mount_not_found'],
    ['project_mount_remove', { project_id: 'p' }, 'missing_field'],
    ['project_create', { vision: 'nameless' }, 'missing_field'],
    ['project_create', { name: { toString: 1 } }, 'invalid_payload'],
    ['project_create', { name: 'p', status: 'a b' }, 'invalid_payload'],
    ['project_up', { project_id: 'none' }, 'project_not_found'],
    ['project_up', { name: 'q', desired_mounts: [{ node_id: 'lab' }] }, 'missing_field'],
    ['project_up', { name: 'q', desired_mounts: [at('/a'), at('/a/b')] }, 'mount_conflict'],
    ['workspace_status', { project_id: '__proto__' }, 'project_not_found'],
    ['reconcile_status', { project_id: 'none' }, 'project_not_found'],
    ['project_get', { project_id: 'none' }, 'project_not_found'],
    ['project_activate', { project_id: 'p', project_token: 'wrong' }, 'project_auth_failed'],
  ];
  for (const [name, payload, code] of refused)
    t.equal(await admin.codeOf(name, payload), code, `${name} ${JSON.stringify(payload)}`);
  t.match(await admin.ask('project_list'), { projects: [{ project_id: 'p', mount_count: 1 }] });
  t.equal(
    await admin.codeOf('project_get', { project_id: 'q' }),
    'project_not_found',
    'nothing was half done',
  );
});

t.test("a project's token proves a user for that project, and changes nothing", async (t) => {
  const under = await planeFor(t);
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  await joinNode(admin, 'lab');
  const { project_id, project_token } = await admin.ask('project_create', { name: 'web' });
  for (const [export_name, mount_path] of [
    ['work', '/work'],
    ['svc-echo', '/echo'],
    ['svc-hidden', '/hidden'],
  ])
    await admin.ask('project_mount_set', { project_id, node_id: 'lab', export_name, mount_path });
  const user = await ControlProgram.start(t, under.url, { token: under.token('user') });
  t.equal(await user.codeOf('project_get', { project_id }), 'project_not_found');
  t.equal(await user.codeOf('project_get', { project_id, project_token: 'wrong' }), 'project_auth_failed');
  t.same((await user.ask('project_list'))['projects'], []);
  const got = await user.ask('project_get', { project_id, project_token });
  t.match(got, { name: 'web', token_locked: true });
  t.notOk('access_policy' in got);
  t.same(
    (got['mounts'] as { mount_path: string }[]).map((mount) => mount.mount_path),
    ['/work', '/echo'],
    'what the user does not see is not told',
  );
  const unproved = await user.ask('workspace_status', { project_id });
  t.same(unproved['mounts'], [], 'without its token a user sees nothing of what asks for it');
  for (const name of [
    'project_update',
    'project_delete',
    'project_mount_remove',
    'project_token_rotate',
    'project_up',
  ])
    t.equal(
      await user.codeOf(name, { project_id, project_token, mount_path: '/work' }),
      'forbidden',
      `${name} is for admins alone`,
    );
  t.equal(await user.codeOf('project_create', { name: 'mine' }), 'forbidden');
});

t.test('workspace_status says what is mounted, how it is reached, and what is not there', async (t) => {
  const under = await planeFor(t);
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  await joinNode(admin, 'one');
  await joinNode(admin, 'two');
  const up = await admin.ask('project_up', {
    name: 'Web',
    activate: false,
    desired_mounts: ['one', 'two'].map((node_id) => ({ node_id, export_name: 'work', mount_path: '/src' })),
  });
  const { project_token } = up;
  t.match(up, { project_id: 'web', created: true, activated: false, workspace: { project_id: 'web' } });
  t.match(await admin.ask('project_up', { project_id: 'web', vision: 'v', project_token, activate: false }), {
    created: false,
    project_token,
    workspace: { desired_mounts: [{ node_id: 'one' }, { node_id: 'two' }] },
  });
  const user = await ControlProgram.start(t, under.url, { token: under.token('user') });
  t.match(await user.ask('workspace_status'), { project_id: null, mounts: [], agent_id: 'default' });
  const status = await user.ask('workspace_status', { project_id: 'web', project_token });
  t.match(status, {
    agent_id: 'default',
    project_id: 'web',
    workspace_root: '/projects/web',
    fs_auth_token: /^acheron_files_/,
    mounts: [
      {
        mount_path: '/src',
        node_id: 'one',
        node_name: 'one',
        fs_url: `${under.url}/v2/fs/node/one`,
        export_name: 'work',
        fs_auth_token: status['fs_auth_token'],
      },
    ],
    drift: { count: 0, items: [] },
    availability: { mounts_total: 1, online: 1, degraded: 0, missing: 0 },
    reconcile_state: 'idle',
    last_error: null,
    queue_depth: 0,
  });
  t.equal((status['mounts'] as unknown[]).length, 1);
  const again = await ControlProgram.start(t, under.url, { token: under.token('user') });
  t.equal(
    (await again.ask('workspace_status', { project_id: 'web', project_token }))['fs_auth_token'],
    status['fs_auth_token'],
    'who asks each few seconds is answered the same token',
  );
  t.notSame(
    (await admin.ask('workspace_status', { project_id: 'web' }))['fs_auth_token'],
    status['fs_auth_token'],
  );

  under.plane.store.nodes.setOffline('one', 'gone');
  t.match(await admin.ask('workspace_status', { project_id: 'web' }), {
    mounts: [{ node_id: 'two' }],
    drift: {
      count: 1,
      items: [{ kind: 'failover_active', selected_node_id: 'two', desired_node_id: 'one' }],
    },
    reconcile_state: 'idle',
  });
  await admin.ask('node_delete', { node_id: 'two' });
  t.match(await admin.ask('reconcile_status', { project_id: 'web' }), {
    reconcile_state: 'degraded',
    last_error: String,
    failed_ops: [/one/],
    projects: [{ project_id: 'web', mounts: 2, drift_count: 1, queue_depth: 1 }],
  });
});

t.test('a project that was activated is what later connections of the token are answered', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  store.change(() => store.projects.create('web', {}, false));
  await command(t, under, 'project_activate', { project_id: 'web' }, 'user');
  t.match(await command(t, under, 'workspace_status', {}, 'user'), { project_id: 'web' });
  const { token } = store.tokens.create({ role: 'user', agentId: 'other' });
  const other = await ControlProgram.start(t, under.url, { token });
  t.match(await other.ask('workspace_status'), { project_id: null }, 'another token has another');
});

t.test(
  'a program that asks for it hears when what is mounted has changed, as far as it may see',
  async (t) => {
    const under = await planeFor(t);
    const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
    await joinNode(admin, 'lab');
    await admin.ask('project_create', { name: 'web' });
    const heard = async (role: 'admin' | 'user'): Promise<ControlProgram> => {
      const program = await ControlProgram.start(t, under.url, { token: under.token(role) });
      program.socket.send({ channel: 'control', type: 'control.debug_subscribe', id: 'push-subscribe' });
      const ack = await program.socket.next(({ type }) => type === 'debug.event', 'the subscription');
      t.match(ack, {
        request: 'push-subscribe',
        category: 'control.subscription',
        payload: { enabled: true },
      });
      return program;
    };
    const [hearing, stranger] = [await heard('admin'), await heard('user')];
    await admin.ask('project_mount_set', {
      project_id: 'web',
      node_id: 'lab',
      export_name: 'work',
      mount_path: '/w',
    });
    const event = await hearing.socket.next(({ type }) => type === 'debug.event', 'the change');
    t.equal(event['category'], 'control.workspace_topology');
    await stranger.ask('ping', {}, 'pong');
    t.same(stranger.socket.frames, [], 'who sees nothing of the project hears nothing');
  },
);

t.test('the newest members say workspace and venom, and get both', async (t) => {
  const under = await planeFor(t);
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  await joinNode(admin, 'lab');
  const made = await admin.ask('workspace_create', { name: 'Web' });
  t.match(made, { workspace_id: 'web', project_id: 'web', workspace_token: made['project_token'] });
  const { workspace_token } = made;
  t.match(
    await admin.ask('workspace_mount_set', {
      workspace_id: 'web',
      workspace_token,
      node_id: 'lab',
      export_name: 'svc-echo',
      mount_path: '/echo',
    }),
    { workspace_id: 'web', mounts: [{ mount_path: '/echo' }] },
  );
  t.match(await admin.ask('workspace_list'), { workspaces: [{ workspace_id: 'web', name: 'Web' }] });
  t.match(await admin.ask('venom_get', { node_id: 'lab', venom_id: 'echo' }), {
    services: [{ service_id: 'echo', venom_id: 'echo' }],
    venoms: [{ venom_id: 'echo' }],
  });
  t.match(await admin.ask('workspace_status', { workspace_id: 'web' }), { workspace_id: 'web' });
  const user = await ControlProgram.start(t, under.url, { token: under.token('user') });
  t.match(
    await user.ask('session_attach', {
      session_key: 'main',
      agent_id: 'default',
      workspace_id: 'web',
      workspace_token,
    }),
    {
      session_key: 'main',
      workspace_id: 'web',
      agent_id: 'default',
      workspace: { workspace_id: 'web', mounts: [{ mount_path: '/echo', fs_auth_token: String }] },
      attach: { state: 'ready', runtime_ready: true, mount_ready: true },
    },
  );
});
