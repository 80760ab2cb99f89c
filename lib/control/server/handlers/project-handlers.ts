import type { Session } from '../../../policy/index.js';
import { ProtocolFault, type ControlRequest } from '../../../protocol/index.js';
import { pageOf } from '../page-of.js';
import type { Peer } from '../peer.js';
import type { ProjectChange, ProjectRecord } from '../../store/projects.js';
import { projectView, visibleMounts } from '../workspace.js';
import { audited, type Handlers } from './handler.js';
import { wireProject } from './wire.js';

type Names =
  | 'project_create'
  | 'project_update'
  | 'project_get'
  | 'project_list'
  | 'project_delete'
  | 'project_token_rotate'
  | 'project_token_revoke'
  | 'audit_tail';

export const projectHandlers: Handlers<Names> = {
  project_create: audited('project_create', ({ context, session }, payload) => {
    const { projects } = context.store;
    const { project_id: id, name } = payload;
    if (id === undefined && name == null)
      throw new ProtocolFault('missing_field', 'The payload has neither project_id nor name.');
    const { record, token } = projects.create(
      id ?? projects.freeId(name ?? ''),
      changeFrom(payload),
      payload.with_token === true,
    );
    return { project: wireProject(record, session.current), project_token: token };
  }),

  project_update: audited('project_update', ({ context, session }, payload) => ({
    project: wireProject(
      context.store.projects.update(payload.project_id, changeFrom(payload)),
      session.current,
    ),
  })),

  async project_get(connection, { project_id, project_token }) {
    const found = visibleProjects(connection).find(({ projectId }) => projectId === project_id);
    if (found !== undefined && project_token === undefined)
      return { project: forSession(connection, found, connection.session.current) };
    if (project_token === undefined)
      throw new ProtocolFault('not_found', `There is no project "${project_id}".`);
    const { project, viewer } = await projectView(connection, project_id, project_token);
    return { project: forSession(connection, project, viewer) };
  },

  project_list(connection, asked) {
    const { page, next } = pageOf(visibleProjects(connection), asked, {
      idOf: ({ projectId }) => projectId,
      wireOf: (record) => forSession(connection, record, connection.session.current),
    });
    return { projects: page, next };
  },

  project_delete: audited('project_delete', ({ context }, { project_id }) => {
    context.store.projects.delete(project_id);
    return { project_id, deleted: true };
  }),

  project_token_rotate: audited('project_token_rotate', ({ context, session }, { project_id }) => {
    const project_token = context.store.projects.rotateToken(project_id);
    return {
      project: wireProject(context.store.projects.require(project_id), session.current),
      project_token,
    };
  }),

  project_token_revoke: audited('project_token_revoke', ({ context, session }, { project_id }) => {
    context.store.projects.revokeToken(project_id);
    return { project: wireProject(context.store.projects.require(project_id), session.current) };
  }),

  audit_tail: ({ context }, { limit, after_id }) => ({
    records: context.store.audit.tail(limit ?? 100, after_id),
  }),
};

export function changeFrom(payload: Omit<ControlRequest<'project_update'>, 'project_id'>): ProjectChange {
  return {
    ...(payload.name === undefined ? {} : { name: payload.name }),
    ...(payload.description === undefined ? {} : { description: payload.description }),
    ...(payload.vision === undefined ? {} : { vision: payload.vision }),
    ...(payload.status === undefined ? {} : { status: payload.status }),
    ...(payload.kind === undefined ? {} : { kind: payload.kind }),
    ...(payload.is_delete_protected === undefined ? {} : { isDeleteProtected: payload.is_delete_protected }),
    ...(payload.nodes === undefined ? {} : { nodes: payload.nodes }),
    ...(payload.access_policy === undefined ? {} : { accessPolicy: payload.access_policy }),
  };
}

/** Users know the project they are attached to, and those that their token names. */
export function visibleProjects({ context, session }: Peer): ProjectRecord[] {
  const { current } = session;
  const all = context.store.projects.list();
  if (current.role === 'admin') return all;
  const named = context.store.tokens.get(session.tokenId)?.projects ?? [];
  return all.filter(({ projectId }) => projectId === current.project?.id || named.includes(projectId));
}

/** Of the project's nodes and mounts a user gets only those that the user sees. */
function forSession(
  { context }: Peer,
  record: ProjectRecord,
  viewer: Session,
): ReturnType<typeof wireProject> {
  const mounts = visibleMounts(context.store, viewer, record);
  const wire = wireProject({ ...record, mounts }, viewer);
  if (viewer.role === 'admin') return wire;
  const sees = (nodeId: string): boolean => {
    const node = context.store.nodes.get(nodeId);
    return node !== undefined && context.store.access.seesNode(viewer, node);
  };
  return { ...wire, nodes: wire.nodes.filter(sees) };
}
