import { isId, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { ACTIONS, isReadableEntry, type Action } from './policy-fault.js';
import type { Session, SessionProject } from './session.js';

/** What a decision needs to know of a service. */
export interface ServiceFacts {
  readonly nodeId: string;
  readonly serviceId: string;
  /** The manifest's `permissions`, as written. */
  readonly permissions: JsonValue | undefined;
  /** The projects that name this service's node; empty when no project does. */
  readonly nodeProjects: readonly string[];
}

/** The rule that decided, for `acheron explain` and the audit log. */
export type Rule =
  | 'revoked'
  | 'admin'
  | 'unknown-action'
  | 'unknown-role'
  | 'admin-only'
  | 'permissions-malformed'
  | 'permissions-roles'
  | 'permissions-default'
  | 'permissions-project-token'
  | 'permissions-action'
  | 'control-admin-only'
  | 'project-nodes'
  | 'project-malformed'
  | 'project-mode'
  | 'not-invocable'
  | 'allowed';

export interface Decision {
  readonly allow: boolean;
  readonly rule: Rule;
  /** One sentence, for admins; never shown to the session that was denied. */
  readonly reason: string;
}

/**
 * Decides whether `session` may do `action` to `service`. Pure; the only place where access is
 * decided. Whatever is malformed or unknown denies.
 */
export function decide(session: Session, service: ServiceFacts, action: Action): Decision {
  if (session.revoked) return deny('revoked', 'The session or its token was revoked.');
  if (!ACTIONS.includes(action))
    return deny('unknown-action', `There is no action ${JSON.stringify(action)}.`);
  if (session.role === 'admin') return allow('admin', 'Admin sessions may do everything.');
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the last defence against a session that was cast
  if (session.role !== 'user') return deny('unknown-role', 'The session has no known role.');
  if (action === 'admin') return deny('admin-only', 'Only admin sessions may administer.');

  const atService = decideByPermissions(session, service.permissions, action);
  if (!atService.allow) return atService;
  const atNode = decideByNode(session, service);
  if (!atNode.allow) return atNode;
  if (action === 'observe') return decideObserve(session, service);
  const atProject = decideByProject(session.project, session.agentId, action);
  if (!atProject.allow || action === 'invoke') return atProject;
  const visible = decide(session, service, 'observe');
  return visible.allow ? atProject : visible;
}

/** What role and project allow `session` to do to a service that says nothing of its own. */
export function actionsOf(session: Session): Action[] {
  const nodeProjects = session.project === null ? [] : [session.project.id];
  const service = { nodeId: '', serviceId: '', permissions: { allow_roles: 'all' }, nodeProjects };
  return ACTIONS.filter((action) => decide(session, service, action).allow);
}

function decideByPermissions(session: Session, permissions: JsonValue | undefined, action: Action): Decision {
  if (!isJsonObject(permissions))
    return deny('permissions-malformed', 'The service has no readable permissions.');
  const roles = ownValue(permissions, 'allow_roles');
  if (roles !== undefined) {
    if (!rolesMatch(roles, session.role))
      return deny('permissions-roles', `permissions.allow_roles does not name ${session.role}.`);
  } else if (ownValue(permissions, 'default') !== 'allow') {
    return deny('permissions-default', 'permissions has no allow_roles, and its default is to deny.');
  }
  for (const name of ['require_project_token', 'project_token_required']) {
    const required = ownValue(permissions, name);
    if (required === undefined || required === false) continue;
    if (required !== true)
      return deny('permissions-malformed', `permissions.${name} is neither true nor false.`);
    if (session.project?.verified !== true)
      return deny('permissions-project-token', `permissions.${name} asks for a verified project token.`);
  }
  return decideByActionRoles(session, permissions, action);
}

function decideByActionRoles(session: Session, permissions: JsonObject, action: Action): Decision {
  const actions = ownValue(permissions, 'actions');
  if (actions !== undefined && !isJsonObject(actions))
    return deny('permissions-malformed', 'permissions.actions is not an object.');
  let entry = actions === undefined ? undefined : ownValue(actions, action);
  if (entry === undefined && action === 'write' && actions !== undefined) entry = ownValue(actions, 'invoke');
  if (entry === undefined) {
    return action === 'control'
      ? deny('control-admin-only', 'control is for admins unless permissions.actions.control lists the role.')
      : allow('allowed', 'permissions allow it.');
  }
  if (!isJsonObject(entry))
    return deny('permissions-malformed', `permissions.actions.${action} is not an object.`);
  const roles = ownValue(entry, 'allow_roles');
  if (roles !== undefined && rolesMatch(roles, session.role))
    return allow('allowed', `permissions.actions.${action} names ${session.role}.`);
  return deny(
    'permissions-action',
    `permissions.actions.${action}.allow_roles does not name ${session.role}.`,
  );
}

function rolesMatch(roles: JsonValue, role: string): boolean {
  const list = Array.isArray(roles) ? (roles as readonly JsonValue[]) : [roles];
  return (
    list.every((entry) => typeof entry === 'string') &&
    list.some((entry) => entry === role || entry === 'all' || entry === '*')
  );
}

function decideByNode(session: Session, service: ServiceFacts): Decision {
  if (service.nodeProjects.length === 0) return allow('allowed', 'No project names this node.');
  if (session.project !== null && service.nodeProjects.includes(session.project.id))
    return allow('allowed', 'The project names this node.');
  return deny('project-nodes', 'The node belongs to projects, and the session is attached to none of them.');
}

/** A service that may not be invoked is absent, unless the project grants `observe` by name. */
function decideObserve(session: Session, service: ServiceFacts): Decision {
  const named = namedMode(session.project, session.agentId, 'observe');
  if (named !== undefined) return judgeMode(named, session.project, 'observe');
  const invoke = decide(session, service, 'invoke');
  if (invoke.allow) return allow('allowed', 'A service that may be invoked is visible.');
  return deny(
    'not-invocable',
    `It may not be invoked, and the project does not grant observe by name. ${invoke.reason}`,
  );
}

function decideByProject(project: SessionProject | null, agentId: string | null, action: Action): Decision {
  if (project === null) return allow('allowed', 'The session has no project that could narrow it.');
  let mode = namedMode(project, agentId, action);
  if (mode === undefined && action === 'write') mode = namedMode(project, agentId, 'invoke');
  return judgeMode(mode ?? (project.hasToken ? 'token' : 'open'), project, action);
}

function judgeMode(mode: JsonValue, project: SessionProject | null, action: Action): Decision {
  const where = `The project's access_policy for ${action}`;
  switch (mode) {
    case 'open':
      return allow('allowed', `${where} is open.`);
    case 'token':
      return project?.verified === true
        ? allow('allowed', `${where} is token, and the session proved the project's token.`)
        : deny('project-mode', `${where} is token, and the session did not prove the project's token.`);
    case 'admin':
    case 'deny':
      return deny('project-mode', `${where} is ${mode}.`);
    default:
      return deny('project-malformed', `${where} is neither open, token, admin nor deny.`);
  }
}

const MALFORMED = '(malformed)';

/** The mode that the policy names for an action, the agent's own entry first; undefined where it names none. */
function namedMode(
  project: SessionProject | null,
  agentId: string | null,
  action: Action,
): JsonValue | undefined {
  const policy = project?.accessPolicy;
  if (policy === undefined || policy === null) return undefined;
  if (!isJsonObject(policy) || !isReadableEntry(policy)) return MALFORMED;
  const agents = ownValue(policy, 'agents');
  if (agents !== undefined && agentId !== null) {
    const entry = agentEntry(agents, agentId);
    if (entry === MALFORMED) return MALFORMED;
    if (entry !== undefined) {
      const mode = modeIn(entry, action);
      if (mode !== undefined) return mode;
    }
  } else if (agents !== undefined && !isJsonObject(agents) && !Array.isArray(agents)) {
    return MALFORMED;
  }
  return modeIn(policy, action);
}

/** `{agent_id: {…}}` or `[{agent_id, actions}]`. */
function agentEntry(agents: JsonValue, agentId: string): JsonObject | typeof MALFORMED | undefined {
  if (Array.isArray(agents)) {
    const list = agents as readonly JsonValue[];
    if (!list.every((entry) => isJsonObject(entry) && isId(ownValue(entry, 'agent_id')))) return MALFORMED;
    const own = (list as readonly JsonObject[]).filter((entry) => ownValue(entry, 'agent_id') === agentId);
    return own.length > 1 || own[0]?.['agents'] !== undefined ? MALFORMED : readableOr(own[0]);
  }
  if (!isJsonObject(agents)) return MALFORMED;
  return readableOr(ownValue(agents, agentId));
}

function readableOr(entry: JsonValue | undefined): JsonObject | typeof MALFORMED | undefined {
  if (entry === undefined) return undefined;
  return isJsonObject(entry) && isReadableEntry(entry) ? entry : MALFORMED;
}

/** `{"actions": {action: mode}}`, or flat `{action: mode}`. */
function modeIn(entry: JsonObject, action: Action): JsonValue | undefined {
  const actions = ownValue(entry, 'actions');
  if (actions === undefined) return ownValue(entry, action);
  if (!isJsonObject(actions)) return MALFORMED;
  return ownValue(actions, action) ?? ownValue(entry, action);
}

const allow = (rule: Rule, reason: string): Decision => ({ allow: true, rule, reason });
const deny = (rule: Rule, reason: string): Decision => ({ allow: false, rule, reason });
