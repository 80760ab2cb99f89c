import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';

/**
 * The control messages as other programs of the family write them. Their names for fields are taken in requests, and answers
 * say both: ours are unchanged.
 */

/** What the server knows besides the reply. */
export interface ReplyFacts {
  /** The payload of the request, as it came. */
  readonly asked: JsonObject;
  /** How the peer reached us: `ws://host:port`. */
  readonly url: string;
}

/** The request's payload with our names; a field that has our name too keeps that. */
export function controlAsked(name: string, payload: JsonObject): JsonObject {
  const names = REQUESTS[name] ?? EVERYWHERE;
  const theirs = Object.keys(payload).filter((key) => Object.hasOwn(names, key));
  if (theirs.length === 0) return payload;
  const ours: Record<string, JsonValue> = { ...payload };
  for (const key of theirs) {
    const to = names[key] ?? key;
    const value = payload[key];
    if (value !== undefined && !Object.hasOwn(ours, to)) ours[to] = key === 'operator_token' ? true : value;
  }
  return ours;
}

/** The reply with their names beside ours. */
export function controlAnswered(name: string, reply: object, facts: ReplyFacts): object {
  const more = REPLIES[name];
  return more === undefined ? reply : { ...reply, ...more(reply as JsonObject, facts) };
}

const EVERYWHERE: Readonly<Record<string, string>> = { venom_id: 'service_id' };

/** Of messages that have nothing to do with services. */
const REQUESTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  session_attach: { session_key: 'name' },
  session_status: { session_key: 'session' },
  session_close: { session_key: 'session' },
  session_resume: { session_key: 'session' },
  node_invite_create: { expires_in_ms: 'ttl_ms' },
  // A node that pairs itself with an admin's token says so.
  node_join_approve: { operator_token: 'with_credentials' },
};

type More = (reply: JsonObject, facts: ReplyFacts) => JsonObject;

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

const statusOf: More = (reply) => ({
  session_key: keyOf(reply),
  attach: attachOf(reply),
  session_last_activity_ms: reply['last_seen_ms'] ?? 0,
  session_stale: false,
  recoverable: true,
});

const nodeOf = (reply: JsonObject, url: string): JsonObject => ({
  fs_url: addressOf(reply, url),
  platform: platformOf(reply['platform']),
  service_count: reply['services'] ?? 0,
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

const REPLIES: Readonly<Record<string, More>> = {
  session_attach: (reply, facts) => {
    const asked = ownValue(facts.asked, 'agent_id');
    return {
      ...statusOf(reply, facts),
      // Who has a token of no agent in particular is called what it calls itself; it is nobody for that.
      ...(reply['agent_id'] === null && typeof asked === 'string' ? { agent_id: asked } : {}),
      workspace: { project_id: reply['project_id'] ?? null, mounts: [] },
    };
  },
  session_status: statusOf,
  session_resume: statusOf,
  session_list: (reply) => ({
    active_session: reply['active'] ?? null,
    sessions: listOf(reply, 'sessions').map((one) => ({ ...one, session_key: keyOf(one) })),
  }),
  session_close: (reply) => ({ session_key: keyOf(reply), active_session: reply['active'] ?? null }),
  session_restore: (reply) => ({
    session: isJsonObject(reply['session']) ? summaryOf(reply['session']) : null,
  }),
  session_history: (reply) => ({ sessions: listOf(reply, 'sessions').map(summaryOf) }),
  node_join: joinOf,
  node_lease_refresh: joinOf,
  node_join_approve: (reply, facts) => ({
    ...joinOf(reply, facts),
    requested_at_ms: reply['created_at_ms'] ?? 0,
  }),
  node_join_request: (reply, { asked }) => ({
    fs_url: ownValue(asked, 'fs_url') ?? '',
    requested_at_ms: reply['created_at_ms'] ?? 0,
  }),
  node_get: (reply, { url }) => {
    const node = { ...reply, ...nodeOf(reply, url) };
    return { ...node, node };
  },
  node_list: (reply, { url }) => ({
    nodes: listOf(reply, 'nodes').map((one) => ({ ...one, ...nodeOf(one, url) })),
  }),
  node_service_get: (reply) => ({ platform: platformOf(reply['platform']) }),
};

/** A session, as it is remembered. */
const summaryOf = (session: JsonObject): JsonObject => ({
  ...session,
  session_key: keyOf(session),
  last_active_ms: session['last_seen_ms'] ?? 0,
  message_count: 0,
  summary: null,
});

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
