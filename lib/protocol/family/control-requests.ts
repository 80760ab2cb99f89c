import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { mountOfBind } from './binds.js';
import { MOUNT_MESSAGES, OLDER_MOUNT_TYPES } from './mount-messages.js';
import { protocolMeant } from './words.js';

/** Requests of the family's control programs: other names for messages and fields. */

type Names = Readonly<Record<string, string>>;

/** What newer members do with a project, which they call a workspace. */
const WITH_PROJECTS = [
  ...['create', 'update', 'delete', 'list', 'get', 'mount_set', 'mount_remove', 'mount_list'],
  ...['token_rotate', 'token_revoke', 'activate', 'up'],
];

/** Messages that newer members call by another name. */
const MESSAGES = new Map<string, string>([
  ...OLDER_MOUNT_TYPES,
  ...WITH_PROJECTS.map((what): [string, string] => [`control.workspace_${what}`, `control.project_${what}`]),
  ...['set', 'remove', 'list'].map((what): [string, string] => [
    `control.workspace_bind_${what}`,
    `control.project_mount_${what}`,
  ]),
  ['control.venom_upsert', 'control.node_service_upsert'],
  ['control.venom_get', 'control.node_service_get'],
]);

/** Our type for theirs; a type that has no other name stays. */
export function ownTypeOf(type: string): string {
  return MESSAGES.get(type) ?? type;
}

/** Fields of any message. */
const EVERYWHERE: Names = {
  venom_id: 'service_id',
  workspace_id: 'project_id',
  workspace_token: 'project_token',
};

/** Fields of one message. */
const FIELDS: Readonly<Record<string, Names>> = {
  session_attach: { session_key: 'name' },
  session_status: { session_key: 'session' },
  session_close: { session_key: 'session' },
  session_resume: { session_key: 'session' },
  node_invite_create: { expires_in_ms: 'ttl_ms' },
  // A node that pairs itself with an admin's token says so.
  node_join_approve: { operator_token: 'with_credentials' },
  node_service_upsert: { venoms: 'services' },
  project_up: { project_name: 'name' },
  project_mount_set: { bind_path: 'mount_path' },
  project_mount_remove: { bind_path: 'mount_path' },
};

/** What the values of a field are to us, where they are not the same. */
const VALUES: Readonly<Record<string, (value: JsonValue) => JsonValue>> = {
  operator_token: () => true,
  venoms: (services) => (Array.isArray(services) ? services.map(serviceFrom) : services),
  protocol: (said) => protocolMeant(said) ?? said,
  // An empty text stands for none.
  project_token: emptyIsNone,
  workspace_token: emptyIsNone,
};

/** Messages that none of ours sends, at most with these fields. */
const THEIRS = new Set([
  ...Object.keys(MOUNT_MESSAGES),
  ...['project_mount_set', 'project_mount_remove', 'project_mount_list', 'project_activate', 'project_up'],
  ...['workspace_status', 'reconcile_status', 'agent_list', 'agent_get', 'agent_ensure', 'node_ensure'],
  ...['debug_subscribe', 'debug_unsubscribe', 'workspace_template_list', 'workspace_template_get'],
  'venom_bind',
]);

export interface Asked {
  /** The payload with our names. */
  readonly payload: JsonObject;
  /** Whether a program of the family asks, as far as this request says. */
  readonly isTheirs: boolean;
}

/** A field that has our name too keeps that. @throws ProtocolFault where something has no sense to us */
export function controlAsked(name: string, payload: JsonObject | undefined): Asked {
  // Ours say who they are.
  if (payload === undefined) return { payload: {}, isTheirs: THEIRS.has(name) || name === 'connect' };
  const isTheirs = THEIRS.has(name) || saysSo(name, payload);
  const names: Names = { ...EVERYWHERE, ...FIELDS[name] };
  const renamed = Object.keys(payload).filter(
    (key) => Object.hasOwn(names, key) || Object.hasOwn(VALUES, key),
  );
  if (renamed.length === 0) return { payload: completed(name, payload), isTheirs };
  const ours: Record<string, JsonValue> = { ...payload };
  for (const key of renamed) {
    const to = names[key] ?? key;
    const value = payload[key];
    if (value === undefined || (to !== key && Object.hasOwn(payload, to))) continue;
    const valueOf = VALUES[key];
    ours[to] = valueOf === undefined ? value : valueOf(value);
  }
  return {
    payload: completed(name, ours),
    isTheirs: isTheirs || renamed.some((key) => names[key] !== undefined),
  };
}

/** A node that proves itself with each request is none of ours: those have a connection, and its epoch. */
function saysSo(name: string, payload: JsonObject): boolean {
  const has = (key: string): boolean => ownValue(payload, key) !== undefined;
  if (name === 'node_lease_refresh' || name === 'node_service_upsert')
    return has('node_secret') && !has('epoch') && !has('lease_token') && !has('parts');
  if (name === 'node_join_approve') return has('lease_ttl_ms');
  if (name === 'node_delete') return has('node_secret');
  if (name === 'version') return isNewerVersion(payload);
  return name === 'project_create' && !has('project_id');
}

/** Whether a `version` names the protocol as newer members do. */
export const isNewerVersion = (payload: JsonObject): boolean =>
  protocolMeant(ownValue(payload, 'protocol')) !== undefined;

/** A project that they make has a token; what they bind is mounted. @throws ProtocolFault as `mountOfBind` */
function completed(name: string, payload: JsonObject): JsonObject {
  const isTheirs = name === 'project_create' && ownValue(payload, 'project_id') === undefined;
  if (isTheirs && ownValue(payload, 'with_token') === undefined) return { ...payload, with_token: true };
  return name === 'project_mount_set' && Object.hasOwn(payload, 'bind_path') ? mountOfBind(payload) : payload;
}

function serviceFrom(service: JsonValue): JsonValue {
  if (!isJsonObject(service) || Object.hasOwn(service, 'service_id')) return service;
  const id = ownValue(service, 'venom_id');
  return id === undefined ? service : { ...service, service_id: id };
}

function emptyIsNone(value: JsonValue): JsonValue {
  return typeof value === 'string' && value.trim() === '' ? null : value;
}
