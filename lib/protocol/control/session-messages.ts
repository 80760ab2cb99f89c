import * as z from 'zod';
import { workspaceStatus } from './workspace-messages.js';
import {
  message,
  nothing,
  page,
  pageRequest,
  wireId,
  wireMs,
  wireRole,
  wireSecret,
  wireText,
} from './shapes.js';

/** The name of the control protocol, in `control.version`. */
export const CONTROL_PROTOCOL = 'unified-v2';
export const CONTROL_VERSIONS = {
  acheron_runtime: 'acheron-1',
  acheron_node: 'unified-v2-fs',
  acheron_node_proto: 2,
} as const;

export const sessionStatus = z.object({
  session: wireId,
  role: wireRole,
  agent_id: z.string().nullable(),
  project_id: z.string().nullable(),
  project_verified: z.boolean(),
  requires_session_attach: z.boolean(),
  created_at_ms: wireMs,
  last_seen_ms: wireMs,
  connections: z.int(),
  /** What its client calls it, until the control plane starts anew. */
  name: wireId.nullable().optional(),
});
/** An open session by its id, or by the name that its client gave it. */
const named = z.object({ session: wireId.optional() });
const active = z.string().nullable();

export const SESSION_MESSAGES = {
  version: message(
    'anyone',
    'must come first; agrees on the protocol',
    () => z.object({ protocol: z.string().max(64) }),
    () =>
      z.object({
        protocol: z.string(),
        acheron_runtime: z.string(),
        acheron_node: z.string(),
        acheron_node_proto: z.int(),
        software: z.string().optional(),
        capabilities: z.array(z.string()).optional(),
      }),
    'control.version_ack',
  ),
  connect: message(
    'anyone',
    'begins a session (of the token on the upgrade), goes on with an open one (`session`), or, with `node_id` and `node_secret`, makes this the connection of a node',
    () =>
      z.object({
        session: wireId.optional(),
        client: wireText.optional(),
        node_id: wireId.optional(),
        node_secret: wireSecret.optional(),
        instance_id: wireId.optional(),
        software: wireText.optional(),
        epoch: z.int().min(0).optional(),
        /** `session_changed` is to be pushed; it is to who watches, too. */
        events: z.boolean().optional(),
        /** It knows another server to go to: told `going_away`, it does so by itself, and closes this connection then. */
        moves: z.boolean().optional(),
      }),
    () =>
      z.object({
        session: z.string().nullable(),
        role: z.enum(['admin', 'user', 'node', 'none']),
        agent_id: z.string().nullable(),
        project_id: z.string().nullable(),
        protocol: z.string(),
        bootstrap_only: z.boolean(),
        requires_session_attach: z.boolean(),
        workspace: z.object({ mounts: z.array(z.unknown()) }),
        node: z
          .object({ node_id: wireId, epoch: z.int(), lease_expires_at_ms: wireMs.nullable() })
          .optional(),
      }),
    'control.connect_ack',
  ),
  ping: message(
    'connected',
    'asks whether the server is there',
    () => nothing,
    () => z.object({ timestamp_ms: wireMs }),
    'control.pong',
  ),
  metrics: message(
    'session',
    'counters; nodes and services are named to admins alone',
    () => nothing,
    () => z.looseObject({}),
  ),
  console_link_create: message(
    'session',
    'a code with which one page of the web console may begin a session of its own, once and within 60 s, with the rights of this session or, with `role`, fewer; the address is that of the control plane with `path`, the code stands behind `#code=`',
    () => z.object({ role: z.literal('user').optional() }),
    () => z.object({ code: wireSecret, path: z.string(), expires_at_ms: wireMs }),
  ),
  session_attach: message(
    'session',
    'attaches this session to a project; with its token, the session is verified; with null, detaches. With `name`, it is the session of the token that is called so, or a new one, and its workspace comes with the answer; `agent_id` must be the own',
    () =>
      z.object({
        project_id: wireId.nullable().optional(),
        project_token: wireSecret.nullable().optional(),
        name: wireId.optional(),
        agent_id: wireId.optional(),
      }),
    () => sessionStatus.extend({ workspace: workspaceStatus.optional() }),
  ),
  session_status: message(
    'session',
    'this session, or another that you may see, by its id or name',
    () => named,
    () => sessionStatus,
  ),
  session_list: message(
    'session',
    'open sessions, oldest first: those of the same token; all, for admins; of a page, `next` is the `after` of the one that follows',
    () => pageRequest,
    () => page.extend({ sessions: z.array(sessionStatus), active: active.optional() }),
  ),
  session_close: message(
    'session',
    'ends this session, or another that you may see; its mounts see nothing from then on',
    () => named,
    () =>
      z.object({
        session: wireId,
        closed: z.boolean(),
        name: wireId.nullable().optional(),
        active: active.optional(),
      }),
  ),
  session_resume: message(
    'session',
    'goes on with an open session of the same token, in place of the one that this connection began',
    () => z.object({ session: wireId }),
    () => sessionStatus,
  ),
  session_restore: message(
    'session',
    'the session of the same token that was used last, besides this one',
    () => z.object({ agent_id: wireId.optional() }),
    () => z.object({ found: z.boolean(), session: sessionStatus.nullable() }),
  ),
  session_history: message(
    'session',
    'the open sessions of the same token, the last used first',
    () => z.object({ agent_id: wireId.optional(), limit: z.int().min(1).max(100).optional() }),
    () => z.object({ sessions: z.array(sessionStatus) }),
  ),
} as const;
