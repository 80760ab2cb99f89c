import { summaryFromHelp, type JsonObject } from '../../../core/index.js';
import type { Session } from '../../../policy/index.js';
import type { ControlReply } from '../../../protocol/index.js';
import type { JoinRequest, Invite } from '../../store/pairing.js';
import type { NodeRecord } from '../../store/node-record.js';
import type { ProjectRecord } from '../../store/projects.js';
import type { CatalogService } from '../../store/service-delta.js';
import { mustAttach } from '../../store/sessions.js';
import type { TokenRecord } from '../../store/tokens.js';
import type { ServerContext } from '../server-context.js';
import { wireMount } from '../workspace.js';

/** Records as they stand on the wire: snake_case, and only what the session may see. */

export function wireToken(record: TokenRecord): ControlReply<'token_revoke'>['record'] {
  return {
    token_id: record.tokenId,
    role: record.role,
    agent_id: record.agentId,
    projects: record.projects === null ? null : [...record.projects],
    label: record.label,
    created_at_ms: record.createdAtMs,
    rotated_at_ms: record.rotatedAtMs,
    revoked_at_ms: record.revokedAtMs,
  };
}

export function wireSessionStatus(context: ServerContext, sessionId: string): ControlReply<'session_status'> {
  const record = context.store.sessions.require(sessionId);
  const current = context.store.sessions.snapshot(sessionId);
  const token = context.store.tokens.get(record.tokenId);
  return {
    session: sessionId,
    role: current.role,
    agent_id: current.agentId,
    project_id: record.projectId,
    project_verified: current.project?.verified ?? false,
    requires_session_attach:
      token !== undefined && mustAttach({ ...token, role: current.role }) && record.projectId === null,
    created_at_ms: record.createdAtMs,
    last_seen_ms: record.lastSeenMs,
    connections: context.connectionsOf(sessionId),
    name: record.name,
  };
}

export function wireProject(record: ProjectRecord, session: Session): ControlReply<'project_get'>['project'] {
  return {
    project_id: record.projectId,
    name: record.name,
    description: record.description,
    vision: record.vision,
    status: record.status,
    kind: record.kind,
    is_delete_protected: record.isDeleteProtected,
    token_locked: record.hasToken,
    mounts: record.mounts.map(wireMount),
    mount_count: record.mounts.length,
    nodes: [...record.nodes],
    ...(session.role === 'admin' ? { access_policy: record.accessPolicy } : {}),
    has_token: record.hasToken,
    created_at_ms: record.createdAtMs,
    updated_at_ms: record.updatedAtMs,
  };
}

export function wireJoinRequest(request: JoinRequest): ControlReply<'node_join_approve'> {
  return {
    request_id: request.requestId,
    verification_code: request.verificationCode,
    node_name: request.nodeName,
    platform: request.platform,
    labels: request.labels,
    address: request.address,
    state: request.state,
    created_at_ms: request.createdAtMs,
    expires_at_ms: request.expiresAtMs,
  };
}

export function wireInvite(invite: Invite): Omit<ControlReply<'node_invite_create'>, 'invite_token'> {
  return {
    invite_id: invite.inviteId,
    prefix: invite.prefix,
    created_at_ms: invite.createdAtMs,
    expires_at_ms: invite.expiresAtMs,
  };
}

/** Counts only what the session sees; what is the node's own affair is for admins. */
export function wireNode(
  context: ServerContext,
  node: NodeRecord,
  session: Session,
): ControlReply<'node_get'> {
  const isAdmin = session.role === 'admin';
  return {
    node_id: node.nodeId,
    node_name: node.nodeName,
    state: node.online ? 'online' : 'offline',
    platform: node.platform,
    labels: node.labels,
    fs_url: isAdmin ? node.fsUrl : null,
    services: isAdmin ? node.services.size : context.store.access.visibleServices(session, node).length,
    ...(isAdmin
      ? { revision: node.catalogRevision, epoch: node.epoch, lease_expires_at_ms: node.leaseExpiresAtMs }
      : {}),
    joined_at_ms: node.joinedAtMs,
    last_seen_ms: node.lastSeenMs,
  };
}

export function wireSummary(
  node: NodeRecord,
  { serviceId, descriptor }: Pick<CatalogService, 'serviceId' | 'descriptor'>,
): ControlReply<'node_service_get'>['index'][number] {
  const text = (key: string): string => {
    const value = Object.hasOwn(descriptor, key) ? descriptor[key] : undefined;
    return typeof value === 'string' ? value : '';
  };
  const path = `/nodes/${node.nodeId}/services/${serviceId}`;
  const runtime = Object.hasOwn(descriptor, 'runtime') ? (descriptor['runtime'] as JsonObject | null) : null;
  const hasInvoke = runtime?.['type'] !== undefined && runtime['type'] !== 'static';
  return {
    node_id: node.nodeId,
    service_id: serviceId,
    service_path: path,
    invoke_path: hasInvoke ? `${path}/control/invoke.json` : null,
    has_invoke: hasInvoke,
    scope: 'node',
    kind: text('kind'),
    state: node.online ? text('state') || 'online' : 'offline',
    summary: summaryFromHelp(text('help_md')),
  };
}
