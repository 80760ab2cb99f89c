import { canonicalJson, type JsonValue } from '../../core/index.js';
import { capRole, type Role, type Session } from '../../policy/index.js';
import type { WireSession } from '../../protocol/index.js';

export function wireFromSession(session: Session): WireSession {
  const { id, role, agentId, project, revoked } = session;
  return {
    id,
    role,
    agent_id: agentId,
    project:
      project === null
        ? null
        : {
            id: project.id,
            verified: project.verified,
            has_token: project.hasToken,
            access_policy: project.accessPolicy as never,
          },
    revoked,
  };
}

/** The session as the peer knows it, with the rights of `maxRole` at most. */
export function sessionFromWire(wire: WireSession, maxRole: Role): Session {
  const { project } = wire;
  const session: Session = {
    id: wire.id,
    role: wire.role,
    agentId: wire.agent_id,
    project:
      project === null
        ? null
        : {
            id: project.id,
            verified: project.verified,
            hasToken: project.has_token,
            accessPolicy: project.access_policy as JsonValue | undefined,
          },
    revoked: wire.revoked,
  };
  return capRole(session, maxRole);
}

const TEXTS = new WeakMap<Session, string>();

/** Equal for sessions that say the same. */
export function textOfSession(session: Session): string {
  let text = TEXTS.get(session);
  if (text === undefined) TEXTS.set(session, (text = canonicalJson(wireFromSession(session))));
  return text;
}
