import { FsError, isJsonObject } from '../../../core/index.js';
import { ProtocolFault, type ControlReply, type ControlRequest } from '../../../protocol/index.js';
import type { NodeFacts } from '../../store/node-record.js';
import type { ControlStore } from '../../store/store.js';
import type { NodeCredentials } from '../../store/nodes.js';
import { pageOf } from '../page-of.js';
import { delayFailure } from '../delay-failure.js';
import type { Peer } from '../peer.js';
import type { ServerContext } from '../server-context.js';
import { audited, type Handlers } from './handler.js';
import { wireInvite, wireJoinRequest } from './wire.js';

type Names =
  | 'node_invite_create'
  | 'node_invite_list'
  | 'node_join'
  | 'node_join_request'
  | 'node_ensure'
  | 'node_join_pending_list'
  | 'node_join_approve'
  | 'node_join_deny';

export const pairingHandlers: Handlers<Names> = {
  node_invite_create: audited('node_invite_create', ({ context }, { ttl_ms }) => {
    requireTakesNodes(context);
    const { invite, token } = context.store.pairing.createInvite(ttl_ms ?? context.limits.inviteTtlMs);
    return { ...wireInvite(invite), invite_token: token };
  }),

  node_invite_list({ context }, asked) {
    const { page, next } = pageOf(context.store.pairing.activeInvites(), asked, {
      idOf: ({ inviteId }) => inviteId,
      wireOf: wireInvite,
    });
    return { invites: page, next };
  },

  async node_join(connection, payload) {
    requireTakesNodes(connection.context);
    try {
      return await join(connection, payload);
    } catch (thrown) {
      if (FsError.is(thrown) && thrown.code === 'EACCES') {
        const { context, address } = connection;
        const reason = payload.invite_token === undefined ? 'bad_request_secret' : 'bad_invite';
        context.authFailures.note({ act: 'node_join', address, reason });
        await delayFailure(connection);
        const { invite_token: invite } = payload;
        if (invite !== undefined)
          throw new ProtocolFault('forbidden', thrown.sentence, {
            details: { also: `invite_${context.store.pairing.whyNot(invite)}` },
          });
      }
      throw thrown;
    }
  },

  node_ensure: audited('node_ensure', ({ context }, payload) => {
    requireTakesNodes(context);
    const { nodes } = context.store;
    const ttlMs = payload.lease_ttl_ms ?? context.limits.leaseTtlMs;
    const facts = factsFrom(payload, payload.node_name);
    const known = nodes.get(payload.node_name);
    const credentials = known === undefined ? nodes.join(facts, ttlMs) : nodes.rejoin(facts, ttlMs);
    const { nodeName, fsUrl, platform } = nodes.require(credentials.nodeId);
    return {
      ...wireCredentials(credentials),
      node_name: nodeName,
      fs_url: fsUrl,
      platform,
      created: known === undefined,
    };
  }),

  node_join_request(connection, payload) {
    const { context, address } = connection;
    requireTakesNodes(context);
    try {
      const { requestSecret, ...request } = context.store.pairing.request(
        factsFrom(payload, payload.node_name ?? NAMELESS),
        address,
      );
      noteOwnRequest(connection, request.requestId, payload.platform);
      return { ...wireJoinRequest(request), request_secret: requestSecret };
    } catch (thrown) {
      if (FsError.is(thrown) && thrown.code === 'EBUSY') {
        context.authFailures.note({ act: 'node_join_request', address, reason: 'rate_limited' });
        throw new ProtocolFault('rate_limited', thrown.sentence);
      }
      throw thrown;
    }
  },

  node_join_pending_list({ context }, { limit, after }) {
    const all = context.store.pairing.pending();
    const from = after === undefined ? 0 : all.findIndex(({ requestId }) => requestId === after) + 1;
    const page = all.slice(from, from + (limit ?? all.length));
    const last = page.at(-1);
    const hasMore = last !== undefined && last !== all.at(-1);
    return { pending: page.map(wireJoinRequest), ...(hasMore ? { next: last.requestId } : {}) };
  },

  node_join_approve: audited('node_join_approve', ({ context, session }, payload) => {
    const { pairing } = context.store;
    const approved = pairing.approve(payload.request_id, payload.lease_ttl_ms ?? null);
    const isOwn = context.ownRequests.isOf(payload.request_id, session.tokenId);
    if (payload.with_credentials !== true && !isOwn) return wireJoinRequest(approved);
    const joined = pairing.joinApproved(payload.request_id, context.limits.leaseTtlMs);
    return { ...wireJoinRequest(approved), ...wireCredentials(joined), state: 'joined' };
  }),

  node_join_deny: audited('node_join_deny', ({ context }, { request_id, all, address }) => {
    const { pairing } = context.store;
    if (request_id !== undefined) {
      pairing.deny(request_id);
      return { request_id, state: 'denied', denied: 1 };
    }
    if (all !== true && address === undefined)
      throw new ProtocolFault('missing_field', 'The payload has none of request_id, all and address.');
    return { state: 'denied', denied: pairing.denyAll(address) };
  }),
};

/** A machine that asks by an admin's token, and says what runs there as the family's nodes do, will approve itself. */
function noteOwnRequest(connection: Peer, requestId: string, platform: unknown): void {
  const isTheirs = isJsonObject(platform) && Object.hasOwn(platform, 'runtime_kind');
  if (connection.isAdmin && isTheirs)
    connection.context.ownRequests.add(requestId, connection.session.tokenId);
}

/** @throws ProtocolFault forbidden where this stands for one node alone. */
function requireTakesNodes({ takesNodes }: ServerContext): void {
  if (!takesNodes)
    throw new ProtocolFault('forbidden', 'This is a node that listens by itself: no other pairs with it.');
}

async function join(
  connection: Peer,
  payload: ControlRequest<'node_join'>,
): Promise<ControlReply<'node_join'>> {
  const { context } = connection;
  const { store } = context;
  const { pairing, audit } = store;
  const ttlMs = payload.lease_ttl_ms ?? context.limits.leaseTtlMs;
  const record = (nodeId: string): void =>
    audit.record({ act: 'node_join', outcome: 'ok', target: { node_id: nodeId } });
  let credentials: NodeCredentials | undefined;
  const { invite_token: invite, request_id: requestId, request_secret: secret } = payload;
  if (invite !== undefined) {
    if (payload.node_name === undefined)
      throw new ProtocolFault('missing_field', 'The payload has no node_name.');
    const facts = factsFrom(payload, payload.node_name);
    await asOfNow(store, () => pairing.checkInvite(invite, facts));
    credentials = await store.commit(() => pairing.joinByInvite(invite, facts, ttlMs, record));
  } else if (requestId === undefined || secret === undefined) {
    throw new ProtocolFault(
      'missing_field',
      'The payload has neither invite_token nor request_id and request_secret.',
    );
  } else {
    credentials = (await asOfNow(store, () => pairing.isApproved(requestId, secret)))
      ? await store.commit(() => pairing.joinByRequest(requestId, secret, ttlMs, record))
      : undefined;
  }
  if (credentials === undefined) {
    connection.stayAwhile();
    return { state: 'pending' };
  }
  context.homes.note(credentials.nodeId, connection.address);
  const { nodeName, fsUrl, platform } = context.store.nodes.require(credentials.nodeId);
  return {
    state: 'joined',
    ...wireCredentials(credentials),
    node_name: nodeName,
    fs_url: fsUrl,
    platform,
  };
}

/** What `look` answers; where it refuses, once more as of now, since another replica may have given what is unknown here. */
async function asOfNow<T>(store: ControlStore, look: () => T): Promise<T> {
  try {
    return look();
  } catch (thrown) {
    if (FsError.from(thrown).code !== 'EACCES') throw thrown;
    await store.catchUp();
    return look();
  }
}

function wireCredentials(joined: NodeCredentials): {
  node_id: string;
  node_secret: string;
  lease_token: string;
  lease_expires_at_ms: number;
} {
  return {
    node_id: joined.nodeId,
    node_secret: joined.nodeSecret,
    lease_token: joined.leaseToken,
    lease_expires_at_ms: joined.leaseExpiresAtMs,
  };
}

/** What a machine is called that does not say. */
const NAMELESS = 'node';

function factsFrom(payload: Partial<ControlRequest<'node_join_request'>>, nodeName: string): NodeFacts {
  return {
    nodeName,
    platform: payload.platform ?? null,
    labels: payload.labels ?? {},
    fsUrl: payload.fs_url ?? null,
  };
}
