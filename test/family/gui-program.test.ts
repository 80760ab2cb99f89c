import t from 'tap';
import { planeFor } from '../support/plane.js';
import { ControlProgram } from './fixtures/control-program.js';
import { flag, list, number, part, text, textOrNull, type Answer } from './fixtures/reading.js';

const mountOf = (mount: Answer): string => {
  text(mount, 'node_id');
  text(mount, 'export_name');
  textOrNull(mount, 'node_name');
  textOrNull(mount, 'fs_url');
  return text(mount, 'mount_path');
};

const projectOf = (project: Answer): Answer => ({
  id: text(project, 'id', 'workspace_id', 'project_id'),
  name: text(project, 'name'),
  vision: text(project, 'vision'),
  status: text(project, 'status'),
  kind: text(project, 'kind'),
  isProtected: flag(project, 'is_delete_protected'),
  isLocked: flag(project, 'token_locked'),
  mounts: 'mounts' in project ? list(project, 'mounts').map(mountOf) : number(project, 'mount_count'),
  times: [number(project, 'created_at_ms'), number(project, 'updated_at_ms')],
});

const nodeOf = (node: Answer): string => {
  text(node, 'node_name');
  text(node, 'fs_url');
  for (const key of ['joined_at_ms', 'last_seen_ms', 'lease_expires_at_ms']) number(node, key);
  const platform = part(node, 'platform');
  for (const key of ['os', 'arch', 'runtime_kind']) text(platform, key);
  return text(node, 'node_id');
};

const agentOf = (agent: Answer): string => {
  for (const key of ['name', 'description']) text(agent, key);
  for (const key of ['is_default', 'identity_loaded', 'needs_hatching']) flag(agent, key);
  list(agent, 'capabilities');
  return text(agent, 'id', 'agent_id');
};

const workspaceOf = (status: Answer): string[] => {
  text(status, 'agent_id');
  textOrNull(status, 'project_id');
  textOrNull(status, 'workspace_root');
  const drift = part(status, 'drift');
  number(drift, 'count');
  for (const item of list(drift, 'items'))
    for (const key of ['mount_path', 'kind', 'severity', 'selected_node_id', 'desired_node_id', 'message'])
      text(item, key);
  const availability = part(status, 'availability');
  for (const key of ['mounts_total', 'online', 'degraded', 'missing']) number(availability, key);
  for (const key of ['last_reconcile_ms', 'last_success_ms', 'queue_depth']) number(status, key);
  text(status, 'reconcile_state');
  textOrNull(status, 'last_error');
  for (const key of ['desired_mounts', 'actual_mounts']) list(status, key).map(mountOf);
  return list(status, 'mounts').map(mountOf);
};

const attachedOf = (status: Answer): string => {
  text(status, 'agent_id');
  textOrNull(status, 'project_id');
  const attach = part(status, 'attach');
  for (const key of ['runtime_ready', 'mount_ready']) flag(attach, key);
  for (const key of ['error_code', 'error_message']) textOrNull(attach, key);
  number(attach, 'updated_at_ms');
  text(attach, 'state');
  return text(status, 'session_key');
};

const summaryOf = (session: Answer): string => {
  text(session, 'agent_id');
  textOrNull(session, 'project_id');
  for (const key of ['last_active_ms', 'message_count']) number(session, key);
  textOrNull(session, 'summary');
  return text(session, 'session_key');
};

for (const role of ['admin', 'user'] as const)
  t.test(`the GUI reads every answer that it asks for, as ${role}`, async (t) => {
    const under = await planeFor(t);
    const { store } = under.plane;
    under.plane.attachInProcessNode({ nodeName: 'local', platform: 'linux-x64', labels: {} }).upsert([
      {
        service_id: 'fs',
        kind: 'fs',
        version: '1',
        state: 'online',
        endpoints: ['/nodes/local/fs'],
        permissions: { default: 'allow' },
      },
    ]);
    store.change(() => {
      store.projects.create('nameless', {}, false);
      const mounts = [
        { mountPath: '/work', nodeId: 'local', exportName: 'work' },
        { mountPath: '/gone', nodeId: 'gone', exportName: 'work' },
      ];
      store.projects.create('web', { name: 'Web', mounts }, false);
    });
    const { token } = store.tokens.create({ role, projects: role === 'user' ? ['nameless', 'web'] : null });
    const gui = await ControlProgram.start(t, under.url, { token });
    t.same(list(await gui.ask('agent_list'), 'agents').map(agentOf), ['default']);
    t.equal(agentOf(part(await gui.ask('agent_get', { agent_id: 'default' }), 'agent')), 'default');
    const projects = list(await gui.ask('project_list'), 'projects').map(projectOf);
    t.match(projects, [
      { id: 'nameless', name: 'nameless', vision: '' },
      { id: 'web', name: 'Web' },
    ]);
    workspaceOf(await gui.ask('workspace_status'));
    for (const name of ['main', 'side'])
      t.equal(
        attachedOf(
          await gui.ask('session_attach', { session_key: name, agent_id: 'default', project_id: 'web' }),
        ),
        name,
      );
    projectOf(await gui.ask('project_get', { project_id: 'web' }));
    t.same(list(await gui.ask('node_list'), 'nodes').map(nodeOf), ['local']);
    t.equal(nodeOf(part(await gui.ask('node_get', { node_id: 'local' }), 'node')), 'local');
    const mounted = workspaceOf(await gui.ask('workspace_status', { project_id: 'web' }));
    t.same(
      mounted,
      role === 'admin' ? ['/work', '/gone'] : ['/work'],
      'a user is not told of what a user does not see',
    );
    t.same(workspaceOf(await gui.ask('project_activate', { project_id: 'web' })), mounted);
    t.equal(attachedOf(await gui.ask('session_status')), 'side');
    t.equal(attachedOf(await gui.ask('session_status', { session_key: 'main' })), 'main');
    t.equal(attachedOf(await gui.ask('session_resume', { session_key: 'main' })), 'main');
    const sessions = await gui.ask('session_list');
    t.equal(text(sessions, 'active_session'), 'main');
    t.ok(['main', 'side'].every((name) => list(sessions, 'sessions').map(summaryOf).includes(name)));
    const restored = await gui.ask('session_restore', { agent_id: 'default' });
    t.equal(flag(restored, 'found'), true);
    summaryOf(part(restored, 'session'));
    t.equal(list(await gui.ask('session_history', { limit: 2 }), 'sessions').map(summaryOf).length, 2);
    const reconciled = await gui.ask('reconcile_status');
    for (const key of ['last_reconcile_ms', 'queue_depth', 'failed_ops_total', 'cycles_total'])
      number(reconciled, key);
    for (const project of list(reconciled, 'workspaces', 'projects'))
      for (const key of ['mounts', 'drift_count', 'queue_depth']) number(project, key);
    const side = await gui.ask('session_close', { session_key: 'side' });
    t.match(
      [text(side, 'session_key'), flag(side, 'closed'), text(side, 'active_session')],
      ['side', true, 'main'],
    );
    const own = await gui.ask('session_close', { session_key: 'main' });
    t.equal(text(own, 'active_session'), '', 'of none there is no name');
  });

t.test('who may not attach where it wants is told so, and is as before', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  store.change(() => store.projects.create('web', {}, true));
  const { token } = store.tokens.create({ role: 'user', agentId: 'claude', projects: ['web'] });
  const gui = await ControlProgram.start(t, under.url, { token });
  const attach = (more: object): Promise<string | undefined> =>
    gui.codeOf('session_attach', { session_key: 'main', agent_id: 'claude', ...more });
  t.equal(await attach({ project_id: 'other' }), 'project_not_found');
  t.equal(await attach({ project_id: 'web', project_token: 'wrong' }), 'project_auth_failed');
  t.equal(await attach({ project_id: 'web', agent_id: 'root' }), 'forbidden');
  t.equal(await attach({ project_id: 5 }), 'invalid_payload');
  t.equal(await attach({ project_id: 'web', project_token: '  ' }), undefined, 'an empty token is none');
  t.match(await gui.ask('session_status', { session_key: 'main' }), {
    project_id: 'web',
    project_verified: false,
  });
});
