import { bindsOf } from './binds.js';
import { NAMELESS_AGENT, NEWER_CONTROL_PROTOCOL, NEWER_FILES_PROTOCOL } from './words.js';
import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';

/** What is known besides a reply. */
export interface ReplyFacts {
  /** The payload of the request, as it came. */
  readonly asked: JsonObject;
  /** How the peer reached us: `ws://host:port`. */
  readonly url: string;
  /** Whether a program of the family asks. It reads no null where it expects a text. */
  readonly isTheirs: boolean;
  /** What the program called its agent last, if it did. */
  readonly agentId: string | undefined;
  /** Whether it calls the protocols as newer members do. */
  readonly isNewer: boolean;
}

/** The reply with their names beside ours. */
export function controlAnswered(name: string, reply: object, facts: ReplyFacts): object {
  const more = REPLIES[name];
  if (more === undefined) return facts.isTheirs ? withVenoms(reply as JsonObject) : reply;
  const both: JsonObject = { ...(reply as JsonObject), ...more(reply as JsonObject, facts) };
  return facts.isTheirs ? withVenoms(both) : both;
}

/** A pushed event as they read it. */
export function controlPushed(payload: JsonObject): JsonObject {
  const delta = payload['service_delta'];
  if (!isJsonObject(delta)) return payload;
  const removed = listOf(delta, 'removed').map((entry) => ({
    ...entry,
    version: entry['version'] ?? entry['previous_version'] ?? null,
    hash: entry['hash'] ?? entry['previous_hash'] ?? null,
  }));
  return withVenoms({ ...payload, service_delta: { ...delta, removed } });
}

type More = (reply: JsonObject, facts: ReplyFacts) => JsonObject;

/** Who has a token of no agent in particular is called what it calls itself, and is nobody for that. */
const agentOf = (reply: JsonObject, { isTheirs, agentId }: ReplyFacts): JsonObject => {
  const known = reply['agent_id'] ?? agentId;
  return known == null ? (isTheirs ? { agent_id: NAMELESS_AGENT } : {}) : { agent_id: known };
};

/** Who says nothing of itself, and has to attach first, attaches by what it is answered here. */
const mustName = (reply: JsonObject, { asked }: ReplyFacts): boolean =>
  reply['requires_session_attach'] === true && Object.keys(asked).length === 0;

/** A session runs and shows its files from its first moment. */
const attachOf = (reply: JsonObject): JsonObject => ({
  state: 'ready',
  runtime_ready: true,
  mount_ready: true,
  error_code: null,
  error_message: null,
  updated_at_ms: reply['last_seen_ms'] ?? 0,
});

const keyOf = (session: JsonObject): JsonValue => session['name'] ?? session['session'] ?? null;

const sessionOf = (reply: JsonObject, facts: ReplyFacts): JsonObject => ({
  session_key: keyOf(reply),
  ...agentOf(reply, facts),
  workspace_id: reply['project_id'] ?? null,
});

const statusOf: More = (reply, facts) => ({
  ...sessionOf(reply, facts),
  attach: attachOf(reply),
  session_last_activity_ms: reply['last_seen_ms'] ?? 0,
  session_stale: false,
  agent_last_heartbeat_ms: reply['last_seen_ms'] ?? 0,
  agent_stale: false,
  recoverable: true,
});

/** A session, as it is remembered. */
const summaryOf = (session: JsonObject, facts: ReplyFacts): JsonObject => ({
  ...session,
  ...sessionOf(session, facts),
  last_active_ms: session['last_seen_ms'] ?? 0,
  message_count: 0,
  summary: null,
});

const nodeOf = (reply: JsonObject, { url, isTheirs }: ReplyFacts): JsonObject => ({
  fs_url: addressOf(reply, url),
  platform: platformOf(reply['platform']),
  service_count: reply['services'] ?? 0,
  ...(isTheirs && reply['lease_expires_at_ms'] == null ? { lease_expires_at_ms: 0 } : {}),
});

const joinOf: More = (reply, { asked, url }): JsonObject => {
  if (reply['node_id'] === undefined) return {};
  // Who proved that it has the secret is answered it; nobody else.
  const secret = reply['node_secret'] ?? ownValue(asked, 'node_secret');
  return {
    fs_url: addressOf(reply, url),
    platform: platformOf(reply['platform']),
    ...(secret === undefined ? {} : { node_secret: secret }),
  };
};

/** A project that stands by itself in the reply; its token, where it is shown. */
const flatProject: More = (reply) => {
  const project = reply['project'] as JsonObject;
  const token = reply['project_token'];
  return {
    ...projectOf(project),
    binds: bindsOf(project['mounts']),
    project,
    ...(token === undefined ? {} : { project_token: token, workspace_token: token }),
  };
};

const projectOf = (project: JsonObject): JsonObject => ({
  ...project,
  id: project['project_id'] ?? null,
  workspace_id: project['project_id'] ?? null,
  name: project['name'] ?? project['project_id'] ?? null,
  vision: project['vision'] ?? project['description'] ?? '',
  bind_count: bindsOf(project['mounts']).length,
});

const tokenOf =
  (act: 'rotated' | 'revoked'): More =>
  (reply) => {
    const project = reply['project'] as JsonObject;
    const token = reply['project_token'] ?? null;
    return {
      project_id: project['project_id'] ?? null,
      workspace_id: project['project_id'] ?? null,
      project_token: token,
      workspace_token: token,
      updated_at_ms: project['updated_at_ms'] ?? 0,
      [act]: true,
    };
  };

const workspaceOf: More = (reply, facts) => ({
  ...agentOf(reply, facts),
  workspace_id: reply['project_id'] ?? null,
});

const REPLIES: Readonly<Record<string, More>> = {
  version: (reply, { isNewer }) =>
    isNewer ? { protocol: NEWER_CONTROL_PROTOCOL, acheron_node: NEWER_FILES_PROTOCOL } : reply,
  connect: (reply, facts) => ({
    ...(facts.isNewer ? { protocol: NEWER_CONTROL_PROTOCOL } : {}),
    session_key: reply['session'] ?? null,
    workspace_id: reply['project_id'] ?? null,
    bootstrap_message: null,
    connect_gate: null,
    ...(reply['session'] === null
      ? {}
      : agentOf(reply, { ...facts, isTheirs: facts.isTheirs || mustName(reply, facts) })),
  }),
  session_attach: (reply, facts) => {
    const { workspace } = reply;
    return {
      ...statusOf(reply, facts),
      ...(isJsonObject(workspace) ? { workspace: { ...workspace, ...workspaceOf(workspace, facts) } } : {}),
    };
  },
  session_status: statusOf,
  session_resume: statusOf,
  session_list: (reply, facts) => ({
    active_session: reply['active'] ?? (facts.isTheirs ? '' : null),
    sessions: listOf(reply, 'sessions').map((one) => ({
      ...(facts.isTheirs ? summaryOf(one, facts) : one),
      session_key: keyOf(one),
    })),
  }),
  session_close: (reply, { isTheirs }) => ({
    session_key: keyOf(reply),
    active_session: reply['active'] ?? (isTheirs ? '' : null),
  }),
  session_restore: (reply, facts) => ({
    session: isJsonObject(reply['session']) ? summaryOf(reply['session'], facts) : null,
  }),
  session_history: (reply, facts) => ({
    sessions: listOf(reply, 'sessions').map((one) => summaryOf(one, facts)),
  }),
  node_join: joinOf,
  node_ensure: joinOf,
  node_lease_refresh: joinOf,
  node_join_approve: (reply, facts) => ({
    ...joinOf(reply, facts),
    requested_at_ms: reply['created_at_ms'] ?? 0,
  }),
  node_join_request: (reply, { asked }) => ({
    fs_url: ownValue(asked, 'fs_url') ?? '',
    requested_at_ms: reply['created_at_ms'] ?? 0,
  }),
  node_join_pending_list: (reply) => ({
    pending: listOf(reply, 'pending').map((one) => ({
      fs_url: '',
      ...one,
      platform: platformOf(one['platform']),
      requested_at_ms: one['created_at_ms'] ?? 0,
    })),
  }),
  node_get: (reply, facts) => {
    const node = { ...reply, ...nodeOf(reply, facts) };
    return { ...node, node };
  },
  node_list: (reply, facts) => ({
    nodes: listOf(reply, 'nodes').map((one) => ({ ...one, ...nodeOf(one, facts) })),
  }),
  node_service_get: (reply, facts) => ({
    platform: platformOf(reply['platform']),
    ...supervisedIn(reply, facts),
  }),
  node_service_upsert: (reply, facts) => ({
    ...(reply['platform'] === undefined ? {} : { platform: platformOf(reply['platform']) }),
    ...supervisedIn(reply, facts),
  }),
  project_create: flatProject,
  project_get: flatProject,
  project_update: flatProject,
  project_mount_set: flatProject,
  project_mount_remove: flatProject,
  project_token_rotate: tokenOf('rotated'),
  project_token_revoke: tokenOf('revoked'),
  project_delete: (reply) => ({ workspace_id: reply['project_id'] ?? null }),
  project_list: (reply, { isTheirs }) => {
    const projects = listOf(reply, 'projects').map(projectOf);
    return isTheirs ? { projects, workspaces: projects } : reply;
  },
  project_mount_list: (reply) => ({
    workspace_id: reply['project_id'] ?? null,
    binds: bindsOf(reply['mounts']),
  }),
  project_activate: workspaceOf,
  workspace_status: workspaceOf,
  project_up: (reply, facts) => ({
    workspace_id: reply['project_id'] ?? null,
    workspace_token: reply['project_token'] ?? null,
    workspace: {
      ...(reply['workspace'] as JsonObject),
      ...workspaceOf(reply['workspace'] as JsonObject, facts),
    },
  }),
  reconcile_status: (reply) => ({
    workspaces: listOf(reply, 'projects').map((one) => ({ ...one, workspace_id: one['project_id'] ?? null })),
  }),
};

/** Services with what is known of how they run, where they look for it. */
function supervisedIn(reply: JsonObject, { isTheirs }: ReplyFacts): JsonObject {
  if (!isTheirs || !Array.isArray(reply['services'])) return {};
  return { services: listOf(reply, 'services').map(supervisedService) };
}

/** A service with what is known of how it runs, where they look for it. */
export function supervisedService(service: JsonObject): JsonObject {
  const { runtime } = service;
  const state = service['state'] ?? 'online';
  return {
    ...service,
    runtime: { ...(isJsonObject(runtime) ? runtime : {}), supervision_status: { state } },
  };
}

/** Where lists of services are, by our names and theirs. */
const LISTS = new Map([
  ['services', 'venoms'],
  ['index', undefined],
  ['added', undefined],
  ['updated', undefined],
  ['removed', undefined],
]);

/** The same with `venom_id` beside each `service_id`. */
function withVenoms(reply: JsonObject): JsonObject {
  const both: Record<string, JsonValue> = { ...reply };
  if (typeof reply['service_id'] === 'string') both['venom_id'] = reply['service_id'];
  for (const [key, theirs] of LISTS) {
    const list = reply[key];
    if (!Array.isArray(list)) continue;
    both[key] = (list as readonly JsonValue[]).map((one) => (isJsonObject(one) ? withVenoms(one) : one));
    if (theirs !== undefined) both[theirs] = both[key];
  }
  const delta = reply['service_delta'];
  if (isJsonObject(delta)) both['venom_delta'] = both['service_delta'] = withVenoms(delta);
  return both;
}

const listOf = (reply: JsonObject, key: string): readonly JsonObject[] => reply[key] as readonly JsonObject[];

/** Where the node's files are: where it says, else here. */
function addressOf(node: JsonObject, url: string): JsonValue {
  const own = node['fs_url'];
  return typeof own === 'string' && own !== '' ? own : `${url}/v2/fs/node/${textOf(node['node_id'])}`;
}

/** What a node says of its machine, by parts; `linux-x64` is what ours say. */
function platformOf(said: JsonValue | undefined): JsonObject {
  if (isJsonObject(said)) return { os: 'unknown', arch: 'unknown', runtime_kind: 'native', ...said };
  const [os = '', arch = ''] = textOf(said).split('-');
  return { os: os === '' ? 'unknown' : os, arch: arch === '' ? 'unknown' : arch, runtime_kind: 'acheron' };
}

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
