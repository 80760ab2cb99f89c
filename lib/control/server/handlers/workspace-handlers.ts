import { FsError } from '../../../core/index.js';
import { ProtocolFault, type ControlReply, type ControlRequest } from '../../../protocol/index.js';
import { mountPathFrom, withMount, withoutMount, type ProjectMount } from '../../store/project-mounts.js';
import type { NodeRecord } from '../../store/node-record.js';
import type { Peer } from '../peer.js';
import {
  type ProjectView,
  projectView,
  visibleMounts,
  wireMount,
  workspaceOf,
  type Workspace,
} from '../workspace.js';
import { audited, recorded, type Handlers } from './handler.js';
import { changeFrom, visibleProjects } from './project-handlers.js';
import { wireProject } from './wire.js';

type Names =
  | 'project_mount_set'
  | 'project_mount_remove'
  | 'project_mount_list'
  | 'project_activate'
  | 'venom_bind'
  | 'workspace_template_list'
  | 'workspace_template_get'
  | 'project_up'
  | 'workspace_status'
  | 'reconcile_status';
type Status = ControlReply<'workspace_status'>;

export const workspaceHandlers: Handlers<Names> = {
  project_mount_set: audited('project_mount_set', ({ context, session }, payload) => {
    const { projects } = context.store;
    const { mounts } = projects.require(payload.project_id);
    const path = payload.replace === true ? mountPathFrom(payload.mount_path) : undefined;
    const others = mounts.filter(({ mountPath }) => mountPath !== path);
    const record = projects.update(payload.project_id, { mounts: withMounts(context, others, [payload]) });
    return { project: wireProject(record, session.current) };
  }),

  project_mount_remove: audited('project_mount_remove', ({ context, session }, payload) => {
    const { projects } = context.store;
    const { mounts } = projects.require(payload.project_id);
    const left = orFault('ENOENT', 'mount_not_found', () =>
      withoutMount(mounts, {
        mountPath: payload.mount_path,
        nodeId: payload.node_id,
        exportName: payload.export_name,
      }),
    );
    return { project: wireProject(projects.update(payload.project_id, { mounts: left }), session.current) };
  }),

  async project_mount_list(connection, { project_id, project_token }) {
    const { project, viewer } = await projectView(connection, project_id, project_token ?? null);
    return { project_id, mounts: visibleMounts(connection.context.store, viewer, project).map(wireMount) };
  },

  venom_bind({ context, session }, { service_id, node_id }) {
    const { access, nodes } = context.store;
    const has = (node: NodeRecord): boolean =>
      access.visibleServices(session.current, node).some(({ serviceId }) => serviceId === service_id);
    const named = node_id === undefined ? undefined : nodes.get(node_id);
    const asked = node_id === undefined ? nodes.list() : named === undefined ? [] : [named];
    const node = asked.find(has);
    if (node === undefined) throw new ProtocolFault('not_found', `There is no service "${service_id}".`);
    return { node_id: node.nodeId, service_id, service_path: `/nodes/${node.nodeId}/services/${service_id}` };
  },

  workspace_template_list: () => ({ templates: [] }),

  workspace_template_get(_connection, { template_id }) {
    throw new ProtocolFault('not_found', `There is no template "${template_id}".`);
  },

  async project_activate(connection, { project_id, project_token }) {
    await activate(connection, project_id, project_token ?? null);
    return statusIn(connection, await projectView(connection, project_id, null));
  },

  async project_up(connection, payload) {
    const { projects } = connection.context.store;
    const { project_token: shown = null, activate: isToBeActive = true } = payload;
    const made = await recorded('project_up', connection, payload, () => up(connection, payload));
    const token = made.token ?? (shown !== null && projects.proofFrom(made.projectId, shown) ? shown : null);
    if (isToBeActive) await activate(connection, made.projectId, token);
    const view = await projectView(connection, made.projectId, isToBeActive ? null : token);
    return {
      project_id: made.projectId,
      project_token: token,
      created: made.created,
      activated: isToBeActive,
      workspace: statusIn(connection, view),
    };
  },

  async workspace_status(connection, { project_id, project_token }) {
    const asked = project_id ?? attachedTo(connection);
    if (asked !== undefined)
      return statusIn(connection, await projectView(connection, asked, project_token ?? null));
    const { store } = connection.context;
    const last = lastAttached(connection);
    const project = last?.projectId == null ? undefined : store.projects.get(last.projectId);
    if (last === undefined || project === undefined) return statusOfNone(connection);
    const { sessionId } = last;
    return statusIn(connection, { project, sessionId, viewer: store.sessions.snapshot(sessionId) });
  },

  async reconcile_status(connection, { project_id, project_token }) {
    const { current } = connection.session;
    const isAll = project_id === undefined;
    const asked = isAll ? visibleProjects(connection).map(({ projectId }) => projectId) : [project_id];
    const views: Pick<ProjectView, 'project' | 'viewer'>[] = [];
    if (isAll && current.role === 'admin')
      views.push(...visibleProjects(connection).map((project) => ({ project, viewer: current })));
    else for (const id of asked) views.push(await projectView(connection, id, project_token ?? null));
    const workspaces = views.map(({ project, viewer }) =>
      workspaceOf(connection.context.store, viewer, project, { url: connection.url, authToken: '' }),
    );
    const failures = workspaces.flatMap((workspace) => workspace.failures);
    const { cycles, failed, ...state } = compared(connection, failures);
    return {
      ...state,
      failed_ops_total: failed,
      cycles_total: cycles,
      failed_ops: failures,
      projects: workspaces.map(({ projectId, desired, drift, failures: { length } }) => ({
        project_id: projectId,
        mounts: desired.length,
        drift_count: drift.count,
        queue_depth: length,
      })),
    };
  },
};

/** What the session's project mounts; without one, nothing. */
export async function ownWorkspace(connection: Peer): Promise<Status> {
  const project = attachedTo(connection);
  return project === undefined
    ? statusOfNone(connection)
    : statusIn(connection, await projectView(connection, project, null));
}

/** The project of the session; that of a session which must attach and has not is none. */
function attachedTo({ session }: Peer): string | undefined {
  const id = session.current.project?.id;
  return id === '' ? undefined : id;
}

/** Who asks is attached to the project from now on. */
async function activate(connection: Peer, projectId: string, projectToken: string | null): Promise<void> {
  const { context, session } = connection;
  try {
    await context.store.act(() => context.store.sessions.attach(session.id, projectId, projectToken));
  } catch (thrown) {
    const target = { project_id: projectId };
    context.denials.note(session.tokenId, { act: 'session_attach', ...connection.who(), target });
    throw thrown;
  }
}

/** Makes or changes the project of a `project_up`. */
function up(
  { context }: Peer,
  payload: ControlRequest<'project_up'>,
): { readonly projectId: string; readonly token: string | null; readonly created: boolean } {
  const { projects } = context.store;
  const { project_id: id, name, desired_mounts: wanted } = payload;
  const known =
    id === undefined ? projects.list().find((project) => project.name === name) : projects.require(id);
  if (id === undefined && name === undefined)
    throw new ProtocolFault('missing_field', 'The payload has neither project_id nor name.');
  const change = {
    ...changeFrom(payload),
    ...(wanted === undefined ? {} : { mounts: withMounts(context, [], wanted) }),
  };
  if (known !== undefined) {
    projects.update(known.projectId, change);
    return { projectId: known.projectId, token: null, created: false };
  }
  const { record, token } = projects.create(projects.freeId(name ?? ''), change, true);
  return { projectId: record.projectId, token, created: true };
}

/** With these mounts, of nodes that are known. @throws ProtocolFault `node_not_found`, `mount_conflict`; FsError EINVAL */
function withMounts(
  { store }: Peer['context'],
  mounts: readonly ProjectMount[],
  added: readonly { readonly node_id: string; readonly export_name: string; readonly mount_path: string }[],
): readonly ProjectMount[] {
  return added.reduce((all, { node_id: nodeId, export_name: exportName, mount_path: mountPath }) => {
    orFault('ENOENT', 'node_not_found', () => store.nodes.require(nodeId));
    return orFault('EEXIST', 'mount_conflict', () => withMount(all, { mountPath, nodeId, exportName }));
  }, mounts);
}

/** An errno that says by itself too little of what is not right, as a code that says more. */
function orFault<T>(errno: 'ENOENT' | 'EEXIST', code: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!FsError.is(thrown) || thrown.code !== errno) throw thrown;
    throw new ProtocolFault(code, thrown.sentence, { cause: thrown });
  }
}

/** The session of the same token that was used last of those that are attached to a project. */
function lastAttached({
  context,
  session,
}: Peer): { sessionId: string; projectId: string | null } | undefined {
  const { sessions } = context.store;
  return sessions
    .list({ tokenId: session.tokenId })
    .filter(({ sessionId, projectId }) => projectId !== null && !sessions.snapshot(sessionId).revoked)
    .sort((one, other) => other.lastSeenMs - one.lastSeenMs)[0];
}

function statusIn(connection: Peer, { project, viewer, sessionId }: ProjectView): Status {
  const authToken = connection.context.filesSessions.textFor(sessionId);
  const workspace = workspaceOf(connection.context.store, viewer, project, {
    url: connection.url,
    authToken,
  });
  return { ...statusFrom(connection, workspace), fs_auth_token: authToken };
}

function statusFrom(connection: Peer, workspace: Workspace | undefined): Status {
  const { cycles: _cycles, failed: _failed, ...state } = compared(connection, workspace?.failures ?? []);
  const projectId = workspace?.projectId ?? null;
  const { desired = [], actual = [] } = workspace ?? {};
  return {
    agent_id: connection.session.current.agentId,
    project_id: projectId,
    workspace_root: projectId === null ? null : `/projects/${projectId}`,
    mounts: [...actual],
    desired_mounts: [...desired],
    actual_mounts: [...actual],
    drift: workspace?.drift ?? { count: 0, items: [] },
    availability: workspace?.availability ?? { mounts_total: 0, online: 0, degraded: 0, missing: 0 },
    ...state,
  };
}

const statusOfNone = (connection: Peer): Status => statusFrom(connection, undefined);

interface Counts {
  cycles: number;
  failed: number;
  lastSuccessMs: number;
}
/** What was compared on behalf of each connection. */
const COUNTS = new WeakMap<Peer, Counts>();

/** Notes that what is wanted was compared with what is there, just now. */
function compared(
  connection: Peer,
  failures: readonly string[],
): Pick<Status, 'reconcile_state' | 'last_reconcile_ms' | 'last_success_ms' | 'last_error' | 'queue_depth'> &
  Pick<Counts, 'cycles' | 'failed'> {
  const now = connection.context.clock.now();
  const counts = COUNTS.get(connection) ?? { cycles: 0, failed: 0, lastSuccessMs: 0 };
  COUNTS.set(connection, counts);
  counts.cycles++;
  counts.failed += failures.length;
  if (failures.length === 0) counts.lastSuccessMs = now;
  return {
    reconcile_state: failures.length === 0 ? 'idle' : 'degraded',
    last_reconcile_ms: now,
    last_success_ms: counts.lastSuccessMs,
    last_error: failures[0] ?? null,
    queue_depth: failures.length,
    cycles: counts.cycles,
    failed: counts.failed,
  };
}
