import type { Session } from '../../../policy/index.js';
import { ProtocolFault, type ControlRequest } from '../../../protocol/index.js';
import { pageOf } from '../page-of.js';
import type { Peer } from '../peer.js';
import type { ProjectChange, ProjectRecord } from '../../store/projects.js';
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
    const { record, token } = context.store.projects.create(
      payload.project_id,
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

  project_get(connection, { project_id }) {
    const found = visibleProjects(connection).find(({ projectId }) => projectId === project_id);
    if (found === undefined) throw new ProtocolFault('not_found', `There is no project "${project_id}".`);
    return { project: forSession(connection, found) };
  },

  project_list(connection, asked) {
    const { page, next } = pageOf(visibleProjects(connection), asked, {
      idOf: ({ projectId }) => projectId,
      wireOf: (record) => forSession(connection, record),
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

function changeFrom(payload: Omit<ControlRequest<'project_update'>, 'project_id'>): ProjectChange {
  return {
    ...(payload.name === undefined ? {} : { name: payload.name }),
    ...(payload.description === undefined ? {} : { description: payload.description }),
    ...(payload.nodes === undefined ? {} : { nodes: payload.nodes }),
    ...(payload.access_policy === undefined ? {} : { accessPolicy: payload.access_policy }),
  };
}

/** Users know the project they are attached to, and those that their token names. */
function visibleProjects({ context, session }: Peer): ProjectRecord[] {
  const { current } = session;
  const all = context.store.projects.list();
  if (current.role === 'admin') return all;
  const named = context.store.tokens.get(session.tokenId)?.projects ?? [];
  return all.filter(({ projectId }) => projectId === current.project?.id || named.includes(projectId));
}

/** Of the project's nodes a user gets only those that the user sees. */
function forSession({ context, session }: Peer, record: ProjectRecord): ReturnType<typeof wireProject> {
  const current: Session = session.current;
  const wire = wireProject(record, current);
  if (current.role === 'admin') return wire;
  const sees = (nodeId: string): boolean => {
    const node = context.store.nodes.get(nodeId);
    return node !== undefined && context.store.access.seesNode(current, node);
  };
  return { ...wire, nodes: wire.nodes.filter(sees) };
}
