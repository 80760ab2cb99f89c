import t from 'tap';
import { planeFor } from '../support/plane.js';
import { ControlProgram } from './fixtures/control-program.js';
import { list, number, text } from './fixtures/reading.js';

t.test('what newer members bind in a workspace is mounted in the project', async (t) => {
  const under = await planeFor(t);
  for (const nodeName of ['lab', 'pi'])
    under.plane.attachInProcessNode({ nodeName, platform: 'linux-x64', labels: {} });
  const gui = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const made = await gui.ask('workspace_create', { name: 'Web', template_id: 'dev', operator_token: 'x' });
  const workspace_id = text(made, 'workspace_id');
  t.match([made['binds'], number(made, 'bind_count')], [[], 0]);
  const set = (bind_path: string, target_path: string): Promise<Record<string, unknown>> =>
    gui.ask('workspace_bind_set', { workspace_id, bind_path, target_path });
  const binds = { '/git': '/nodes/lab/services/git', '/work': '/nodes/pi/fs/work' };
  const wanted = Object.entries(binds).map(([bind_path, target_path]) => ({ bind_path, target_path }));
  await set('/git', '/nodes/lab/venoms/git/');
  const bound = await set('/work/', binds['/work']);
  t.match([text(bound, 'id'), text(bound, 'name'), number(bound, 'bind_count')], [workspace_id, 'Web', 2]);
  t.same(list(bound, 'binds'), wanted);
  t.match(bound['mounts'], [
    { mount_path: '/git', node_id: 'lab', export_name: 'svc-git' },
    { mount_path: '/work', node_id: 'pi', export_name: 'work' },
  ]);
  t.same((await gui.ask('workspace_bind_list', { workspace_id }))['binds'], wanted);
  t.match(await gui.ask('workspace_list'), { workspaces: [{ workspace_id, bind_count: 2, mount_count: 2 }] });
  t.same(list(await gui.ask('workspace_get', { workspace_id }), 'binds'), wanted);

  const moved = await gui.ask('workspace_bind_set', {
    ...{ workspace_id, bind_path: '/work', target: '/nodes/lab/fs/work', operator_token: 'x' },
  });
  t.same(list(moved, 'mounts').length, 2, 'a path leads to one place');
  t.match(list(moved, 'binds'), [wanted[0]!, { bind_path: '/work', target_path: '/nodes/lab/fs/work' }]);
  t.same((await gui.ask('workspace_bind_remove', { workspace_id, bind_path: '/work' }))['binds'], [
    wanted[0],
  ]);
  t.equal(await gui.codeOf('workspace_bind_remove', { workspace_id, bind_path: '/work' }), 'mount_not_found');
  await gui.ask('workspace_mount_set', {
    ...{ workspace_id, mount_path: '/git', node_id: 'pi', export_name: 'svc-git' },
  });
  const twice = await gui.ask('workspace_get', { workspace_id });
  t.match([list(twice, 'mounts').length, list(twice, 'binds')], [2, [wanted[0]]], 'who stands in is no bind');
});

t.test('a bind that leads elsewhere, or is asked for by a user, is refused', async (t) => {
  const under = await planeFor(t);
  under.plane.attachInProcessNode({ nodeName: 'lab', platform: 'linux-x64', labels: {} });
  under.plane.store.change(() => under.plane.store.projects.create('web', {}, false));
  const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
  const user = await ControlProgram.start(t, under.url, { token: under.token('user') });
  const bind = { workspace_id: 'web', bind_path: '/git', target_path: '/nodes/lab/services/git' };
  for (const what of ['set', 'remove'])
    t.equal(await user.codeOf(`workspace_bind_${what}`, bind), 'forbidden', what);
  t.equal(
    await user.codeOf('workspace_bind_set', { ...bind, target_path: 5 }),
    'forbidden',
    'before all else',
  );
  const targets = [
    '/workspace/.services/git',
    '/nodes/lab',
    '/nodes/lab/fs',
    '/nodes/../fs/x',
    '/nodes/lab/fs/..',
    '',
  ];
  for (const target_path of [...targets, null, 5, {}, [], undefined])
    t.match(
      await admin.codeOf('workspace_bind_set', { ...bind, target_path }),
      /^(invalid_payload|node_not_found)$/,
      JSON.stringify(target_path),
    );
  for (const bind_path of ['git', '/a/../b', '', null, 5, {}])
    t.equal(
      await admin.codeOf('workspace_bind_set', { ...bind, bind_path }),
      'invalid_payload',
      JSON.stringify(bind_path),
    );
  t.equal(
    await admin.codeOf('workspace_bind_set', { ...bind, target_path: '/nodes/none/fs/x' }),
    'node_not_found',
  );
  t.equal(await admin.codeOf('workspace_bind_set', { ...bind, workspace_id: 'none' }), 'project_not_found');
  await admin.ask('workspace_bind_set', bind);
  t.equal(await admin.codeOf('workspace_bind_set', { ...bind, bind_path: '/git/x' }), 'mount_conflict');
  t.match(
    await user.ask('workspace_bind_list', { workspace_id: 'web' }),
    { binds: [] },
    'a user sees no more than before',
  );
});

t.test('there are no templates, and who asks is told so', async (t) => {
  const under = await planeFor(t);
  const gui = await ControlProgram.start(t, under.url, { token: under.token('user') });
  t.same(list(await gui.ask('workspace_template_list'), 'templates'), []);
  t.equal(await gui.codeOf('workspace_template_get', { template_id: 'dev' }), 'not_found');
  t.equal(await gui.codeOf('workspace_template_get', {}), 'missing_field');
});

for (const role of ['admin', 'user'] as const)
  t.test(`a node that the GUI hosts refreshes, tells what it has and binds that, as ${role}`, async (t) => {
    const under = await planeFor(t);
    const admin = await ControlProgram.start(t, under.url, { token: under.token('admin') });
    const ensured = await admin.ask('node_ensure', { node_name: 'app', lease_ttl_ms: 60_000 });
    const [node_id, node_secret] = [text(ensured, 'node_id'), text(ensured, 'node_secret')];
    const gui = await ControlProgram.start(t, under.url, { token: under.token(role) });
    const fs_url = `${under.url}/v2/fs/node/${node_id}`;
    await gui.ask('node_lease_refresh', { node_id, node_secret, fs_url, lease_ttl_ms: 60_000 });
    const venom = (venom_id: string, permissions: object): object => ({
      ...{ venom_id, kind: venom_id, version: '1', state: 'online', permissions },
      endpoints: [`/nodes/${node_id}/${venom_id}`],
    });
    await gui.ask('venom_upsert', {
      ...{ node_id, node_secret, platform: { os: 'linux', arch: 'x86_64', runtime_kind: 'spiderapp' } },
      venoms: [venom('chat', { default: 'allow' }), venom('jobs', {})],
    });
    const bind = { venom_id: 'chat', node_id, scope: 'global' };
    const bound = { venom_id: 'chat', node_id, service_path: `/nodes/${node_id}/services/chat` };
    t.match(await gui.ask('venom_bind', bind), bound);
    t.match(await gui.ask('venom_bind', { venom_id: 'chat' }), bound, 'where no node is named');
    const hidden = await gui.codeOf('venom_bind', { ...bind, venom_id: 'jobs' });
    t.equal(hidden, role === 'admin' ? undefined : 'not_found', 'nobody is told of what is not seen');
    for (const other of [{ venom_id: 'none' }, { node_id: 'none' }])
      t.equal(await gui.codeOf('venom_bind', { ...bind, ...other }), 'not_found');
    for (const venom_id of [undefined, null, 5, '', '../x', {}])
      t.match(await gui.codeOf('venom_bind', { ...bind, venom_id }), /^(invalid_payload|missing_field)$/);
  });
