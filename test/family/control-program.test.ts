import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { planeFor } from '../support/plane.js';
import { until } from '../support/until.js';
import { ControlProgram } from './fixtures/control-program.js';

t.test('the control command looks at nodes and their services, and makes an invite', async (t) => {
  const under = await planeFor(t);
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const before = Date.now();
  const invite = await admin.ask('node_invite_create', { expires_in_ms: 120_000 });
  t.match(invite, { invite_token: /^acheron_invite_/ });
  t.ok(Math.abs((invite['expires_at_ms'] as number) - before - 120_000) < 10_000, 'it is good for so long');
  await admin.ask('node_join', {
    invite_token: invite['invite_token'],
    node_name: 'lab',
    platform: { os: 'linux', arch: 'arm64' },
  });
  t.match(await admin.ask('node_list'), {
    nodes: [
      {
        node_id: 'lab',
        fs_url: `${under.url}/v2/fs/node/lab`,
        platform: { os: 'linux', arch: 'arm64', runtime_kind: 'native' },
        service_count: 0,
      },
    ],
  });
  const got = await admin.ask('node_get', { node_id: 'lab' });
  t.match(got, {
    node_id: 'lab',
    node: { node_id: 'lab', node_name: 'lab', fs_url: String, service_count: 0 },
  });
  t.match(await admin.ask('node_service_get', { node_id: 'lab' }), {
    node_id: 'lab',
    node_name: 'lab',
    platform: { os: 'linux' },
    services: [],
  });
  t.equal(await admin.codeOf('node_get', { node_id: 'none' }), 'node_not_found');
});

t.test('tokens are shown masked, and the token of the role that is named is rotated', async (t) => {
  const under = await planeFor(t);
  const [admin, user] = [under.token('admin'), under.token('user')];
  const program = await ControlProgram.start(t, under.url, { token: admin });
  const status = await program.ask('auth_status');
  t.match(status, {
    admin_token: /^acheron_admin_[0-9a-f]{12}_\*{4}$/,
    user_token: /^acheron_user_[0-9a-f]{12}_\*{4}$/,
    path: under.stateDir,
  });
  t.notMatch(JSON.stringify(status), admin.split('_')[3]!, 'the secret is not in it');
  const rotated = await program.ask('auth_rotate', { role: 'user' });
  t.match(rotated, { role: 'user', token: /^acheron_user_/ });
  t.equal(readFileSync(join(under.stateDir, 'user.token'), 'utf8').trim(), rotated['token']);
  t.equal(under.token('admin'), admin, "the caller's own is as it was");
  await program.ask('ping', {}, 'pong');
  await t.rejects(ControlProgram.start(t, under.url, { token: user }), { message: / 401 / });

  const asUser = await ControlProgram.start(t, under.url, { token: rotated['token'] as string });
  const own = await asUser.ask('auth_status');
  t.strictSame(Object.keys(own).sort(), ['record', 'session'], 'a user is shown no other token, and no path');
  t.equal(await asUser.codeOf('auth_rotate', { role: 'admin' }), 'forbidden');
});

t.test('a node joins by an invite, and keeps its lease by calls of their own', async (t) => {
  const under = await planeFor(t, { limits: { offlineGraceMs: 1 } });
  const token = under.token('admin');
  const admin = await ControlProgram.start(t, under.url, { token });
  const { invite_token } = await admin.ask('node_invite_create', {});
  const call = async (name: string, payload: object): Promise<Record<string, unknown>> => {
    const program = await ControlProgram.start(t, under.url, { token });
    const reply = await program.ask(name, payload);
    program.socket.close();
    return reply;
  };
  const fs_url = 'ws://10.0.0.7:18891/v2/fs';
  const joined = await call('node_join', { invite_token, node_name: 'far', fs_url, lease_ttl_ms: 900_000 });
  const fields = { node_id: 'far', node_name: 'far', fs_url, node_secret: String, lease_token: String };
  t.match(joined, { ...fields, lease_expires_at_ms: Number, platform: { os: String } });
  const { node_id, node_secret } = joined;
  const refreshed = await call('node_lease_refresh', { node_id, node_secret, fs_url, lease_ttl_ms: 900_000 });
  t.match(refreshed, { ...fields, node_secret, lease_expires_at_ms: Number, platform: { os: String } });
  t.not(refreshed['lease_token'], joined['lease_token'], 'it has a new one');
  const { lease_token } = refreshed;
  t.match(await call('node_lease_refresh', { node_id, lease_token }), { node_id, lease_token });
  const old = await ControlProgram.start(t, under.url, { token });
  t.equal(
    await old.codeOf('node_lease_refresh', { node_id, lease_token: joined['lease_token'] }),
    'node_auth_failed',
  );
  t.match(await admin.ask('node_get', { node_id }), { state: 'online' }, 'it is there without a connection');
  t.equal(await old.codeOf('node_lease_refresh', { node_id, node_secret: 'wrong' }), 'node_auth_failed');
});

t.test('a node that holds an admin token asks, approves itself, and is given its credentials', async (t) => {
  const under = await planeFor(t);
  const program = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const asked = await program.ask('node_join_request', { fs_url: 'ws://10.0.0.8:18891/v2/fs' });
  t.match(asked, {
    request_id: String,
    node_name: 'node',
    fs_url: 'ws://10.0.0.8:18891/v2/fs',
    requested_at_ms: Number,
  });
  const { request_id } = asked;
  const approved = await program.ask('node_join_approve', {
    request_id,
    lease_ttl_ms: 900_000,
    operator_token: under.token('admin'),
  });
  t.match(approved, { state: 'joined', node_id: 'node', node_secret: String, lease_token: String });
  const { node_id, node_secret } = approved;
  t.match(await program.ask('node_lease_refresh', { node_id, node_secret }), {
    node_id: 'node',
    node_secret,
  });
  t.equal(await program.codeOf('node_join_approve', { request_id }), 'pending_join_not_found', 'once');

  const user = await ControlProgram.start(t, under.url, { token: under.token('user') });
  const other = await user.ask('node_join_request', { node_name: 'other' });
  t.equal(
    await user.codeOf('node_join_approve', {
      request_id: other['request_id'],
      operator_token: under.token('admin'),
    }),
    'forbidden',
    "who connects with a user's token approves nothing, whatever is in the payload",
  );
  const plain = await program.ask('node_join_approve', { request_id: other['request_id'] });
  t.notOk('node_secret' in plain, 'an admin who does not ask for them gets no credentials');
});

t.test('sessions are named by their clients, gone on with, listed and closed', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  store.change(() => store.projects.create('web', {}, false));
  const { token } = store.tokens.create({ role: 'user', agentId: 'claude', projects: ['web'] });
  const program = await ControlProgram.start(t, under.url, { token });
  const main = { session_key: 'main', agent_id: 'claude', project_id: 'web' };
  t.match(await program.ask('session_attach', main), {
    ...main,
    workspace: { mounts: [] },
    attach: { state: 'ready', runtime_ready: true, mount_ready: true },
  });
  t.match(await program.ask('session_attach', { ...main, session_key: 'side' }), { session_key: 'side' });
  const listed = await program.ask('session_list');
  t.equal(listed['active_session'], 'side');
  t.same((listed['sessions'] as { session_key: string }[]).map((one) => one.session_key).sort(), [
    'main',
    'side',
  ]);
  t.match(await program.ask('session_status', { session_key: 'main' }), {
    ...main,
    attach: { state: 'ready' },
  });
  t.match(await program.ask('session_close', { session_key: 'main' }), {
    closed: true,
    active_session: 'side',
  });
  t.match(await program.ask('session_status'), { session_key: 'side' }, "the caller's own goes on");
  t.equal(await program.codeOf('session_resume', { session_key: 'main' }), 'not_found');
  await program.ask('session_attach', main);
  t.match(await program.ask('session_resume', { session_key: 'side' }), { session_key: 'side' });
  t.match(await program.ask('session_restore', { agent_id: 'claude' }), {
    found: true,
    session: { session_key: 'main', agent_id: 'claude', project_id: 'web', last_active_ms: Number },
  });
  t.equal(((await program.ask('session_history', { limit: 1 }))['sessions'] as unknown[]).length, 1);
});

t.test('who a session is, its token says alone; names of sessions are its own', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  const claude = await ControlProgram.start(t, under.url, {
    token: store.tokens.create({ role: 'user', agentId: 'claude' }).token,
  });
  for (const name of ['session_attach', 'session_restore', 'session_history'])
    t.equal(await claude.codeOf(name, { session_key: 'main', agent_id: 'root' }), 'forbidden', name);
  const mine = await claude.ask('session_attach', { session_key: 'main', agent_id: 'claude' });

  const other = await ControlProgram.start(t, under.url, { token: under.token('user') });
  for (const name of ['session_status', 'session_close', 'session_resume'])
    for (const session_key of ['main', mine['session']])
      t.equal(await other.codeOf(name, { session_key }), 'not_found', `${name} ${String(session_key)}`);
  const theirs = await other.ask('session_attach', { session_key: 'main', agent_id: 'anybody' });
  t.not(theirs['session'], mine['session']);
  t.equal(theirs['agent_id'], 'anybody', 'called what it calls itself');
  t.match(await claude.ask('session_status', { session_key: 'main' }), { session: mine['session'] });
});

t.test('fields of the wrong kind are refused, and the connection lives', async (t) => {
  const under = await planeFor(t);
  const program = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const hostile: [string, object][] = [
    ['session_attach', { session_key: 'a/b' }],
    ['session_attach', { session_key: {}, project_id: [] }],
    ['session_close', { session_key: '../x' }],
    ['session_status', { session_key: 5 }],
    ['node_invite_create', { expires_in_ms: -1 }],
    ['node_invite_create', { expires_in_ms: '1h' }],
    ['node_join_approve', { request_id: 'r-x', operator_token: { toString: 1 } }],
    ['auth_rotate', { role: 'root' }],
    ['session_history', { limit: 1e9 }],
    ['node_service_get', { node_id: 'x', venom_id: '__proto__/x' }],
    ['agent_hatch', {}],
  ];
  for (const [name, payload] of hostile)
    t.ok(await program.codeOf(name, payload), `${name} ${JSON.stringify(payload)}`);
  await until(() => program.socket.frames.length === 0, 'no other frames');
  t.ok(await program.ask('ping', {}, 'pong'));
});
