import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { familyWorld } from './fixtures/family-world.js';
import { ControlProgram } from './fixtures/control-program.js';
import { list, number, part, text, type Answer } from './fixtures/reading.js';
import { SdkControl, SdkError, SdkFiles, type Protocols } from './fixtures/sdk-program.js';

const { plane, folder, token } = await familyWorld(t, {
  files: Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`sub/${n}.txt`, `${n}\n`])),
});
const files = `${plane.url}/v2/fs`;
const command = await ControlProgram.start(t, plane.url, { token: token('admin') });

const GENERATIONS: readonly Protocols[] = [
  { control: 'unified-v2', files: 'unified-v2-fs' },
  { control: 'spiderweb-control', files: 'spiderweb-fs' },
];
const ROLES = ['admin', 'user'] as const;
const WALKS = GENERATIONS.flatMap((protocols) => ROLES.map((role) => ({ protocols, role })));
const start = (role: 'admin' | 'user', protocols = GENERATIONS[0]!): Promise<SdkControl> =>
  SdkControl.start(t, plane.url, token(role), protocols);
const keyOf = (session: Answer): string => text(session, 'session_key');

for (const { protocols, role } of WALKS)
  t.test(
    `sessions as ${role}, ${protocols.control}: attach, status, list, history, close, resume, restore`,
    async (t) => {
      const admin = await start('admin', protocols);
      const made = await admin.request('workspace_create', { name: 'Sessions' });
      const workspace_id = text(made, 'workspace_id');
      const shown = { workspace_id, workspace_token: text(made, 'workspace_token') };
      // A token of its own: sessions of other walks are none of its.
      const { token: own } = await command.ask('token_create', { role });
      const sdk = await SdkControl.start(t, plane.url, own as string, protocols);
      for (const session_key of ['main', 'side']) {
        const attached = await sdk.request('session_attach', { session_key, agent_id: 'sdk', ...shown });
        t.match(attached, { session_key, agent_id: 'sdk', workspace_id, project_id: workspace_id });
        t.match(attached['attach'], {
          state: 'ready',
          runtime_ready: true,
          mount_ready: true,
          error_code: null,
        });
        t.match(attached['workspace'], { agent_id: 'sdk', workspace_id, mounts: [] });
      }
      t.match(await sdk.request('session_status', {}), { session_key: 'side', attach: { state: 'ready' } });
      t.match(await sdk.request('session_status', { session_key: 'main' }), {
        session_key: 'main',
        workspace_id,
      });
      const listed = await sdk.request('session_list');
      t.equal(text(listed, 'active_session'), 'side');
      t.ok(['main', 'side'].every((name) => list(listed, 'sessions').map(keyOf).includes(name)));
      t.match(await sdk.request('session_resume', { session_key: 'main' }), {
        session_key: 'main',
        workspace_id,
      });
      t.equal(text(await sdk.request('session_list', {}), 'active_session'), 'main');
      const restored = part(await sdk.request('session_restore', { agent_id: 'sdk' }), 'session');
      t.match([keyOf(restored), number(restored, 'last_active_ms') > 0], ['side', true]);
      t.equal(list(await sdk.request('session_history', { limit: 1 }), 'sessions').length, 1);
      t.match(await sdk.request('session_close', { session_key: 'side' }), {
        ...{ session_key: 'side', closed: true, active_session: 'main' },
      });
      t.equal(await sdk.codeOf('session_resume', { session_key: 'side' }), 'not_found');
      t.notOk(
        list(await sdk.request('session_history'), 'sessions')
          .map(keyOf)
          .includes('side'),
      );
      t.match(await sdk.request('session_close', { session_key: 'main' }), {
        closed: true,
        active_session: '',
      });
      sdk.close();

      const again = await SdkControl.start(t, plane.url, own as string, protocols);
      t.equal(await again.codeOf('session_attach', { session_key: 'main', workspace_id }), undefined);
      await admin.request('workspace_delete', { workspace_id });
      t.equal(
        await again.codeOf('session_status'),
        'provider_auth_failed',
        'with its project a session ends',
      );
    },
  );

for (const { protocols, role } of WALKS)
  t.test(`tokens, nodes and agents as ${role}, ${protocols.control}`, async (t) => {
    const sdk = await start(role, protocols);
    const isAdmin = role === 'admin';
    t.ok((await sdk.request('ping'))['timestamp_ms']);
    t.ok(await sdk.request('metrics'));
    const status = await sdk.request('auth_status');
    t.equal('admin_token' in status, isAdmin);
    t.equal(await sdk.codeOf('auth_rotate', { role: 'nobody' }), isAdmin ? 'invalid_payload' : 'forbidden');
    t.ok(list(await sdk.request('agent_list'), 'agents').some((agent) => text(agent, 'id') === 'default'));
    t.match(await sdk.request('agent_ensure', { agent_id: 'sdk' }), { agent: { id: 'sdk' } });

    const nodes = list(await sdk.request('node_list'), 'nodes');
    t.match(nodes, [{ node_id: 'n1', node_name: 'n1', fs_url: `${plane.url}/v2/fs/node/n1` }]);
    t.match(await sdk.request('node_get', { node_id: 'n1' }), {
      node: { node_id: 'n1', service_count: Number },
    });
    const catalog = list(await sdk.request('venom_get', { node_id: 'n1' }), 'venoms');
    const ids = catalog.map((venom) => text(venom, 'venom_id'));
    t.equal(ids.includes('hidden'), isAdmin, 'a user is told of what a user may call');
    t.ok(ids.includes('upper'));
    t.equal(await sdk.codeOf('node_get', { node_id: 'none' }), 'node_not_found');
    for (const name of ['node_invite_create', 'node_join_pending_list', 'audit_tail'])
      t.equal(await sdk.codeOf(name, {}), isAdmin ? undefined : 'forbidden', name);
    if (!isAdmin) t.equal(await sdk.codeOf('node_delete', { node_id: 'n1' }), 'forbidden');
  });

t.test('a node is paired by an invite, tells of itself, and goes, by the SDK alone', async (t) => {
  const [protocols] = GENERATIONS;
  const admin = await start('admin');
  const { invite_token } = await admin.request('node_invite_create', { expires_in_ms: 60_000 });
  const stranger = await SdkControl.start(t, plane.url, undefined, protocols!);
  const joined = await stranger.request('node_join', { invite_token, node_name: 'by-sdk' });
  const { node_id, node_secret } = joined;
  t.match(joined, {
    node_id: 'by-sdk',
    node_secret: String,
    lease_token: String,
    lease_expires_at_ms: Number,
  });
  t.equal(await stranger.codeOf('node_list'), 'forbidden', 'without a token nothing else is answered');
  const proof = { node_id, node_secret };
  const sdk = await start('user');
  t.match(await sdk.request('node_lease_refresh', { ...proof, lease_ttl_ms: 60_000 }), {
    node_id,
    node_secret,
  });
  const venom = {
    venom_id: 'echo',
    kind: 'tool',
    version: '1',
    state: 'online',
    endpoints: ['/nodes/by-sdk/echo'],
  };
  t.match(await sdk.request('venom_upsert', { ...proof, venoms: [venom] }), {
    venoms: [{ venom_id: 'echo' }],
  });
  t.match(await admin.request('venom_get', { node_id }), { venoms: [{ venom_id: 'echo' }] });
  t.equal(await sdk.codeOf('venom_upsert', { node_id, node_secret: 'x', venoms: [] }), 'node_auth_failed');
  t.match(await sdk.request('node_delete', proof), { node_id });
  t.equal(await admin.codeOf('node_get', { node_id }), 'node_not_found');
});

for (const { protocols, role } of WALKS)
  t.test(`projects as ${role}, ${protocols.control}`, async (t) => {
    const sdk = await start(role, protocols);
    if (role === 'user') {
      for (const name of ['workspace_create', 'workspace_up', 'project_create', 'project_up'])
        t.equal(await sdk.codeOf(name, { name: 'Mine' }), 'forbidden', name);
      t.equal(await sdk.codeOf('workspace_token_rotate', { workspace_id: 'web' }), 'forbidden');
      t.ok(list(await sdk.request('workspace_list'), 'workspaces'));
      t.equal(await sdk.codeOf('workspace_get', { workspace_id: 'none' }), 'project_not_found');
      return;
    }
    const made = await sdk.request('workspace_create', { name: 'Web site', vision: 'Shown.' });
    const workspace_id = text(made, 'workspace_id');
    t.match(made, {
      name: 'Web site',
      vision: 'Shown.',
      status: 'active',
      workspace_token: String,
      mounts: [],
    });
    t.ok(list(await sdk.request('project_list'), 'projects').some((one) => text(one, 'id') === workspace_id));
    t.match(await sdk.request('workspace_update', { workspace_id, vision: 'Seen.' }), { vision: 'Seen.' });
    const mounted = { mount_path: '/upper', node_id: 'n1', export_name: 'svc-upper' };
    t.match(await sdk.request('workspace_mount_set', { workspace_id, ...mounted }), { mounts: [mounted] });
    t.match(await sdk.request('workspace_mount_list', { workspace_id }), { workspace_id, mounts: [mounted] });
    t.match(await sdk.request('workspace_status', { workspace_id }), {
      ...{ workspace_id, reconcile_state: 'idle', drift: { count: 0 } },
      mounts: [{ ...mounted, fs_url: String, fs_auth_token: String, online: true }],
    });
    t.match(await sdk.request('reconcile_status', { workspace_id }), {
      workspaces: [{ workspace_id, mounts: 1 }],
    });
    t.match(await sdk.request('workspace_activate', { workspace_id }), { workspace_id, mounts: [mounted] });
    const rotated = await sdk.request('workspace_token_rotate', { workspace_id });
    t.not(text(rotated, 'workspace_token'), text(made, 'workspace_token'));
    const user = await start('user', protocols);
    const shown = { workspace_id, workspace_token: text(rotated, 'workspace_token') };
    t.match(await user.request('workspace_get', shown), { workspace_id, name: 'Web site' });
    t.equal(
      await user.codeOf('workspace_get', { ...shown, workspace_token: text(made, 'workspace_token') }),
      'project_auth_failed',
      'the old token proves nothing any more',
    );
    t.match(await sdk.request('workspace_mount_remove', { workspace_id, mount_path: '/upper' }), {
      mounts: [],
    });
    // The session that activated the project ends with it.
    const other = await start('admin', protocols);
    t.match(await other.request('workspace_delete', { workspace_id }), { workspace_id, deleted: true });
    t.match(await other.request('workspace_up', { name: 'Web site', activate: false }), { created: true });
    await other.request('workspace_delete', { workspace_id });
  });

for (const { protocols, role } of WALKS)
  t.test(`files and their events as ${role}, ${protocols.files}`, async (t) => {
    const sdk = await SdkFiles.dial(t, files, token(role));
    t.match(await sdk.request('version', { msize: 1_048_576, version: 'acheron-1' }), {
      payload: { msize: Number },
    });
    t.match(await sdk.hello(protocols), {
      protocol: protocols.files,
      proto: 2,
      capabilities: { read: true },
    });
    t.match(await sdk.getattr(1), { kind: 'dir' });
    t.equal((await sdk.names(1)).includes('control'), role === 'admin');
    const sub = await sdk.at('/nodes/n1/fs/work/sub');
    t.same((await sdk.names(sub, 2)).sort(), ['0.txt', '1.txt', '2.txt', '3.txt', '4.txt'], 'page by page');
    t.equal(await sdk.read('/nodes/n1/fs/work/sub/3.txt'), '3\n');
    t.equal(await sdk.write('/nodes/n1/services/upper/control/invoke.json', '{"text":"sdk"}'), 14);
    t.same(JSON.parse(await sdk.read('/nodes/n1/services/upper/result.json')), { TEXT: 'SDK' });
    const lost = await sdk.lookup(1, 'none').catch((thrown: unknown) => thrown);
    t.match(lost, { code: 'acheron_fs_error', errno: 2 });

    const changed = await sdk.at('/nodes/n1/fs/work/sub/0.txt');
    sdk.events.length = 0;
    writeFileSync(join(folder, 'sub', '0.txt'), `${role} ${protocols.files}\n`);
    while (!sdk.events.some(({ payload }) => payload?.['node'] === changed)) await sdk.getattr(1);
    t.match(
      await sdk.getattr(changed),
      { size: `${role} ${protocols.files}\n`.length },
      'it is told, and sees it',
    );

    const runtime = await SdkControl.start(t, plane.url, token(role), protocols);
    t.ok(await runtime.request('ping'));
  });

t.test('fields of any kind are refused one by one, and the connection lives', async (t) => {
  const values = [null, 5, -1, 1e300, '', ' ', '../..', 'a/b', '\0', 'x'.repeat(5000), [], {}, true];
  const fields: [string, string[]][] = [
    ['session_attach', ['session_key', 'agent_id', 'project_id', 'workspace_token']],
    ['session_status', ['session_key']],
    ['session_resume', ['session_key']],
    ['session_close', ['session_key']],
    ['session_restore', ['agent_id']],
    ['session_history', ['limit', 'agent_id']],
    ['auth_rotate', ['role', 'token_id']],
    ['node_get', ['node_id']],
    ['venom_get', ['node_id', 'venom_id']],
    ['venom_upsert', ['node_id', 'node_secret', 'venoms']],
    ['node_lease_refresh', ['node_id', 'node_secret', 'lease_ttl_ms']],
    ['workspace_get', ['workspace_id', 'workspace_token']],
    ['workspace_mount_set', ['workspace_id', 'node_id', 'export_name', 'mount_path']],
    ['workspace_status', ['workspace_id', 'workspace_token']],
  ];
  const sdk = await start('user');
  for (const [name, keys] of fields)
    for (const key of keys)
      for (const value of values) {
        const code = await sdk.codeOf(name, { [key]: value });
        t.not(code, 'internal', `${name} ${key} ${JSON.stringify(value).slice(0, 40)}`);
      }
  for (const payload of values.filter((value) => value !== null && !(value instanceof Object)))
    t.ok(await sdk.codeOf('session_status', payload), JSON.stringify(payload).slice(0, 40));
  t.ok(await sdk.request('ping'));

  const asked = await SdkFiles.dial(t, files, token('user'));
  await asked.hello(GENERATIONS[0]!);
  for (const value of values) {
    const of = [
      { node: value },
      { node: 1, payload: { name: value } },
      { h: value, payload: { offset: value } },
    ];
    for (const [at, name] of ['fs_getattr', 'fs_lookup', 'fs_read'].entries())
      await asked.request(name, { payload: {}, ...of[at] }).then(
        () => undefined,
        (thrown: unknown) => t.ok(thrown instanceof SdkError, `${name} ${String(thrown)}`),
      );
  }
  t.match(await asked.getattr(1), { kind: 'dir' });
});

t.test('what the SDK knows and we do not is answered as such', async (t) => {
  const sdk = await start('admin');
  for (const name of ['mount_graph_delta_v2', 'mount_path_lock', 'packages_list'])
    t.equal(await sdk.codeOf(name, {}), 'unsupported_type', name);
});
