import {
  ProtocolFault,
  CONTROL_PROTOCOL,
  CONTROL_VERSIONS,
  type ControlReply,
  type ControlRequest,
} from '../../../protocol/index.js';
import { chain, type Awaitable } from '../../../vfs/index.js';
import { mustAttach } from '../../store/sessions.js';
import { CONSOLE_PATH } from '../../client/console-address.js';
import type { Credential } from '../credential.js';
import type { Peer } from '../peer.js';
import { connectNode } from '../node-authority.js';
import type { ServerContext } from '../server-context.js';
import { requireOwnAgent } from './agent-handlers.js';
import type { Handlers } from './handler.js';
import { ownWorkspace } from './workspace-handlers.js';
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
  | 'session_resume'
  | 'session_restore'
  | 'session_history';

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
    if (payload.moves === true) connection.movesByItself();
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
    const { store } = context;
    if (!store.tokens.liveHash(credential.record.tokenId)?.equals(credential.hash))
      throw new ProtocolFault('provider_auth_failed', 'The token was revoked.');
    const wanted = payload.session ?? credential.sessionId;
    const begun =
      wanted === undefined
        ? store.actLightly(() => begin(context, credential))
        : chain(knownHere(context, wanted), () => {
            requireOwn(connection, wanted);
            store.sessions.touch(wanted);
            return wanted;
          });
    return chain(begun, (sessionId) => welcome(connection, sessionId));
  },

  ping: ({ context }) => ({ timestamp_ms: context.clock.now() }),

  metrics: ({ context, session }) => context.metrics.json(session.current.role === 'admin'),

  console_link_create({ context, session }, { role }) {
    const asker = { tokenId: session.tokenId, sessionId: session.id, maxRole: role ?? session.current.role };
    const { store } = context;
    return chain(
      store.actLightly(() => store.consoleLinks.create(asker)),
      ({ code, expiresAtMs }) => ({ code, path: CONSOLE_PATH, expires_at_ms: expiresAtMs }),
    );
  },

  session_attach(connection, { project_id, project_token, name, agent_id }) {
    const { context } = connection;
    requireOwnAgent(connection, agent_id);
    const named = name === undefined ? undefined : useNamed(connection, name);
    return chain(named, () => {
      const { session } = connection;
      const status = (): Awaitable<ControlReply<'session_attach'>> => {
        const answer = wireSessionStatus(context, session.id);
        if (name === undefined) return answer;
        return chain(ownWorkspace(connection), (workspace) => ({ ...answer, workspace }));
      };
      if (project_id === undefined) return status();
      const denied = (thrown: unknown): never => {
        context.denials.note(session.tokenId, {
          act: 'session_attach',
          ...connection.who(),
          target: { project_id },
        });
        throw thrown;
      };
      const { store } = context;
      try {
        const attached = store.act(() =>
          store.sessions.attach(session.id, project_id, project_token ?? null),
        );
        return attached instanceof Promise ? attached.then(status, denied) : status();
      } catch (thrown) {
        return denied(thrown);
      }
    });
  },

  session_status(connection, { session }) {
    return chain(idOf(connection, session), (id) => {
      requireVisible(connection, id);
      return wireSessionStatus(connection.context, id);
    });
  },

  session_list({ context, session, credential }, { limit = MAX_LISTED, after }) {
    const isAdmin = session.current.role === 'admin';
    if (!isAdmin && credential?.sessionId !== undefined)
      return {
        sessions: after === undefined ? [wireSessionStatus(context, session.id)] : [],
        active: session.id,
      };
    const tokenId = isAdmin ? undefined : session.tokenId;
    const found = context.store.sessions.list({ tokenId, limit: limit + 1, after: positionFrom(after) });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      active: context.store.sessions.require(session.id).name ?? session.id,
      sessions: page.map(({ sessionId }) => wireSessionStatus(context, sessionId)),
      ...(found.length > limit && last !== undefined
        ? { next: `${last.createdAtMs}.${last.sessionId}` }
        : {}),
    };
  },

  async session_close(connection, { session }) {
    const id = await idOf(connection, session);
    requireVisible(connection, id);
    const { store } = connection.context;
    const isOwn = id === connection.session.id;
    const who = connection.who();
    const { name } = store.sessions.require(id);
    await store.commit(() => {
      if (!isOwn)
        store.audit.record({ act: 'session_close', outcome: 'ok', ...who, target: { session: id } });
      store.sessions.close(id);
    });
    const { session: own } = connection;
    const active = isOwn ? null : (store.sessions.require(own.id).name ?? own.id);
    return { session: id, closed: true, name, active };
  },

  session_resume(connection, { session }) {
    return chain(idOf(connection, session), (id) => {
      requireOwn(connection, id);
      connection.useSession(id);
      connection.context.store.sessions.touch(id);
      return wireSessionStatus(connection.context, id);
    });
  },

  session_restore(connection, { agent_id }) {
    requireOwnAgent(connection, agent_id);
    const [last] = lastUsed(connection).filter(({ session }) => session !== connection.session.id);
    return { found: last !== undefined, session: last ?? null };
  },

  session_history(connection, { agent_id, limit = DEFAULT_HISTORY }) {
    requireOwnAgent(connection, agent_id);
    return { sessions: lastUsed(connection).slice(0, limit) };
  },
};

/** Sessions that a history tells of, unless it is asked for another number. */
const DEFAULT_HISTORY = 10;

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

function welcome(connection: Peer, sessionId: string): ControlReply<'connect'> {
  const { current } = connection.useSession(sessionId);
  const status = wireSessionStatus(connection.context, sessionId);
  return {
    ...acknowledgement,
    session: sessionId,
    role: current.role,
    agent_id: current.agentId,
    project_id: status.project_id,
    bootstrap_only: false,
    requires_session_attach: status.requires_session_attach,
  };
}

/** A new session, within a change; where the token is for one project alone, attached to it. */
function begin({ store }: ServerContext, { record, hash }: NonNullable<Credential>): string {
  const { sessions, projects } = store;
  const { sessionId } = sessions.create(record, hash);
  const [only, ...others] = record.projects ?? [];
  if (mustAttach(record) && only !== undefined && others.length === 0 && projects.get(only) !== undefined)
    sessions.attach(sessionId, only, null);
  return sessionId;
}

/** Of several replicas, another one may have begun the session, or called it so, a moment ago. */
function knownHere({ store }: ServerContext, sessionId: string): Awaitable<void> {
  if (store.replicas !== undefined && store.sessions.get(sessionId) === undefined) return store.catchUp();
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

/** The session that is meant by an id or a name; without either, this one. */
function idOf({ context, session: { id, tokenId } }: Peer, text: string | undefined): Awaitable<string> {
  if (text === undefined) return id;
  const { sessions } = context.store;
  return chain(knownHere(context, sessions.idFrom(tokenId, text)), () => sessions.idFrom(tokenId, text));
}

/** Goes on with the session of this token that is called so; where there is none, this one is, or a new one. */
function useNamed(connection: Peer, name: string): Awaitable<void> {
  const { context, session, credential } = connection;
  const { sessions } = context.store;
  const { tokenId } = session;
  const open = (): string | undefined => {
    const id = sessions.idFrom(tokenId, name);
    return sessions.get(id) === undefined || sessions.snapshot(id).revoked ? undefined : id;
  };
  const openOrCalled = (): string => {
    const known = open();
    if (known !== undefined) return known;
    const isNameless = sessions.require(session.id).name === null;
    const begins = !isNameless && credential !== undefined && credential.sessionId === undefined;
    const id = begins ? begin(context, credential) : session.id;
    sessions.call(id, name);
    return id;
  };
  return chain(open() ?? context.store.actLightly(openOrCalled), (id) => {
    requireOwn(connection, id);
    if (id !== session.id) connection.useSession(id);
  });
}

/** Open sessions of the peer's token that it may go on with, the last used first. */
function lastUsed({ context, session, credential }: Peer): ControlReply<'session_history'>['sessions'] {
  const ids =
    credential?.sessionId === undefined
      ? context.store.sessions.list({ tokenId: session.tokenId }).map(({ sessionId }) => sessionId)
      : [session.id];
  return ids
    .map((id) => wireSessionStatus(context, id))
    .sort((one, other) => other.last_seen_ms - one.last_seen_ms)
    .slice(0, MAX_LISTED);
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
