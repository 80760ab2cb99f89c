import type { JsonValue } from '../core/index.js';

export type Role = 'admin' | 'user';

/**
 * The caller: an immutable snapshot of what a token proved. `agentId` comes from the token alone;
 * `project` is the project that the session is attached to, with its policy as of now.
 */
export interface Session {
  readonly id: string;
  readonly role: Role;
  /**
   * The role that the token proved, where `role` was capped below it. Rights follow `role`; whose outcomes
   * are whose follows this, so that an admin who may do only what users may is not one of them.
   */
  readonly provedRole?: Role;
  readonly agentId: string | null;
  readonly project: SessionProject | null;
  /** True once the token, role or session was withdrawn: everything is denied. */
  readonly revoked: boolean;
}

export interface SessionProject {
  readonly id: string;
  /** The session proved itself with the project's token. */
  readonly verified: boolean;
  /** The project has a token at all. */
  readonly hasToken: boolean;
  /** `access_policy`, as written; judged by `decide`, where the malformed denies. */
  readonly accessPolicy: JsonValue | undefined;
}

const principals = new WeakMap<Session, string>();

/** A key for "the same caller": proved role, agent and project. Outcomes, jobs and `_key`s belong to it. */
export function principalOf(session: Session): string {
  let principal = principals.get(session);
  if (principal === undefined) {
    principal = JSON.stringify([roleOfPrincipal(session), session.agentId, session.project?.id ?? null]);
    principals.set(session, principal);
  }
  return principal;
}

/** The role by which the session is known: in records, and as the owner of what it did. Never its rights. */
export function roleOfPrincipal({ role, provedRole = role }: Session): Role {
  return provedRole;
}

/** The same session with the rights of `maxRole` at most. */
export function capRole(session: Session, maxRole: Role): Session {
  if (maxRole === 'admin' || session.role === 'user') return session;
  return { ...session, role: maxRole, provedRole: roleOfPrincipal(session) };
}

/** A session of the machine's own, as a local mount has it. */
export function localSession(role: Role, agentId: string | null = null, id = 'local'): Session {
  return { id, role, agentId, project: null, revoked: false };
}
