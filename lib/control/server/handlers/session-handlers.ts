import {
  ProtocolFault,
  CONTROL_PROTOCOL,
  CONTROL_VERSIONS,
  type ControlReply,
  type ControlRequest,
} from '../../../protocol/index.js';
import { mustAttach } from '../../store/sessions.js';
import { CONSOLE_PATH } from '../../client/console-address.js';
import type { Credential, Peer } from '../peer.js';
import { connectNode } from '../node-authority.js';
import type { ServerContext } from '../server-context.js';
import type { Handlers } from './handler.js';
import { wireSessionStatus } from './wire.js';

type Names =
  | 'console_link_create'
  | 'version'
  | 'connect'
  | 'ping'
  | 'metrics'
  | 'session_attach'
  | 'session_status'
  | 'session_list'
  | 'session_close'
  | 'session_resume';

export const sessionHandlers: Handlers<Names> = {
  version(connection, { protocol }) {
    if (protocol !== CONTROL_PROTOCOL) {
      throw new ProtocolFault('unsupported_protocol', `This server speaks ${CONTROL_PROTOCOL}.`, {
        details: { supported: [CONTROL_PROTOCOL] },
      });
    }
    if (connection.state === 'new') connection.enter('versioned');
    return { protocol, ...CONTROL_VERSIONS, capabilities: ['cursor', 'epoch', 'audit_append'] };
  },

  connect(connection, payload) {
    if (connection.state !== 'versioned')
      throw new ProtocolFault('session_busy', 'This connection is connected already.');
    if (payload.events === true) connection.wantEvents();
    if (payload.node_id !== undefined) return connectAsNode(connection, payload.node_id, payload);
    const { credential, context } = connection;
    if (credential === undefined) {
      connection.enter('bootstrap');
      return {
        ...acknowledgement,
        session: null,
        role: 'none',
        agent_id: null,
        project_id: null,
        bootstrap_only: true,
      };
    }
    const { sessions, tokens } = context.store;
    if (!tokens.liveHash(credential.record.tokenId)?.equals(credential.hash))
      throw new ProtocolFault('provider_auth_failed', 'The token was revoked.');
    let sessionId = payload.session ?? credential.sessionId;
    if (sessionId === undefined) sessionId = beginSession(context, credential);
    else {
      requireOwn(connection, sessionId);
      sessions.touch(sessionId);
    }
    const { current } = connection.useSession(sessionId);
    const status = wireSessionStatus(context, sessionId);
    return {
      ...acknowledgement,
      session: sessionId,
      role: current.role,
      agent_id: current.agentId,
      project_id: status.project_id,
      bootstrap_only: false,
      requires_session_attach: status.requires_session_attach,
    };
  },

  ping: ({ context }) => ({ timestamp_ms: context.clock.now() }),

  metrics: ({ context, session }) => context.metrics.json(session.current.role === 'admin'),

  console_link_create({ context, session }, { role }) {
    const asker = { tokenId: session.tokenId, sessionId: session.id, maxRole: role ?? session.current.role };
    const { code, expiresAtMs } = context.consoleLinks.create(asker);
    return { code, path: CONSOLE_PATH, expires_at_ms: expiresAtMs };
  },

  session_attach(connection, { project_id, project_token }) {
    const { context, session } = connection;
    try {
      context.store.sessions.attach(session.id, project_id, project_token ?? null);
    } catch (thrown) {
      context.denials.note(session.tokenId, {
        act: 'session_attach',
        ...connection.who(),
        target: { project_id },
      });
      throw thrown;
    }
    return wireSessionStatus(context, session.id);
  },

  session_status(connection, { session }) {
    const id = session ?? connection.session.id;
    requireVisible(connection, id);
    return wireSessionStatus(connection.context, id);
  },

  session_list({ context, session, credential }, { limit = MAX_LISTED, after }) {
    const isAdmin = session.current.role === 'admin';
    if (!isAdmin && credential?.sessionId !== undefined)
      return { sessions: after === undefined ? [wireSessionStatus(context, session.id)] : [] };
    const tokenId = isAdmin ? undefined : session.tokenId;
    const found = context.store.sessions.list({ tokenId, limit: limit + 1, after: positionFrom(after) });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      sessions: page.map(({ sessionId }) => wireSessionStatus(context, sessionId)),
      ...(found.length > limit && last !== undefined
        ? { next: `${last.createdAtMs}.${last.sessionId}` }
        : {}),
    };
  },

  async session_close(connection, { session }) {
    const id = session ?? connection.session.id;
    requireVisible(connection, id);
    const { store } = connection.context;
    const isOwn = id === connection.session.id;
    const who = connection.who();
    await store.commit(() => {
      if (!isOwn)
        store.audit.record({ act: 'session_close', outcome: 'ok', ...who, target: { session: id } });
      store.sessions.close(id);
    });
    return { session: id, closed: true };
  },

  session_resume(connection, { session }) {
    requireOwn(connection, session);
    connection.useSession(session);
    connection.context.store.sessions.touch(session);
    return wireSessionStatus(connection.context, session);
  },
};

/** Sessions on one page, unless fewer are asked for. */
const MAX_LISTED = 1000;

/** Where the page before ended. @throws ProtocolFault `invalid_payload` */
function positionFrom(after: string | undefined): { createdAtMs: number; sessionId: string } | undefined {
  if (after === undefined) return undefined;
  const [, createdAtMs, sessionId] = /^(\d{1,16})\.(.+)$/.exec(after) ?? [];
  if (sessionId === undefined)
    throw new ProtocolFault('invalid_payload', '`after` is the `next` of the page before.');
  return { createdAtMs: Number(createdAtMs), sessionId };
}

const acknowledgement = {
  protocol: CONTROL_PROTOCOL,
  requires_session_attach: false,
  workspace: { mounts: [] },
};

/** A new session; where the token is for one project alone, attached to it. */
function beginSession({ store }: ServerContext, { record, hash }: NonNullable<Credential>): string {
  const { sessions, projects } = store;
  return sessions.begin(() => {
    const { sessionId } = sessions.create(record, hash);
    const [only, ...others] = record.projects ?? [];
    if (mustAttach(record) && only !== undefined && others.length === 0 && projects.get(only) !== undefined)
      sessions.attach(sessionId, only, null);
    return sessionId;
  });
}

async function connectAsNode(
  connection: Peer,
  nodeId: string,
  payload: ControlRequest<'connect'>,
): Promise<ControlReply<'connect'>> {
  const { node_secret, instance_id, software, epoch } = payload;
  if (node_secret === undefined) throw new ProtocolFault('missing_field', 'The payload has no node_secret.');
  const node = await connectNode(connection, {
    nodeId,
    secret: node_secret,
    instanceId: instance_id,
    software,
    lastEpoch: epoch,
  });
  return {
    ...acknowledgement,
    session: null,
    role: 'node',
    agent_id: null,
    project_id: null,
    bootstrap_only: false,
    node,
  };
}

/** A session of this token that is open; any other is as absent as one that never was. */
function requireOwn({ context, credential }: Peer, sessionId: string): void {
  const record = context.store.sessions.get(sessionId);
  const isOther = credential?.sessionId !== undefined && credential.sessionId !== sessionId;
  if (
    isOther ||
    record?.tokenId !== credential?.record.tokenId ||
    context.store.sessions.snapshot(sessionId).revoked
  )
    throw new ProtocolFault('not_found', `There is no session "${sessionId}".`);
}

function requireVisible(connection: Peer, sessionId: string): void {
  const record = connection.context.store.sessions.get(sessionId);
  const isAdmin = connection.session.current.role === 'admin';
  const own = connection.credential?.sessionId;
  const isOwn = own === undefined ? record?.tokenId === connection.session.tokenId : sessionId === own;
  if (record === undefined || (!isAdmin && !isOwn))
    throw new ProtocolFault('not_found', `There is no session "${sessionId}".`);
}
