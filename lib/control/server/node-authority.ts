import { ProtocolFault } from '../../protocol/index.js';
import type { NodeHolder } from '../store/node-record.js';
import type { ServerContext } from './server-context.js';
import type { AuthFailure } from './auth-failure-log.js';
import { delayFailure } from './delay-failure.js';
import type { Peer } from './peer.js';

/** What a message brings to prove that it comes from the node, and from the connection that counts. */
export interface NodeProof {
  readonly nodeId: string;
  readonly secret?: string | undefined;
  readonly leaseToken?: string | undefined;
  readonly epoch?: number | undefined;
}

/**
 * Checks a node's secret and its epoch, and answers the epoch. A connection that has none takes one with
 * its first message.
 * @throws ProtocolFault `provider_auth_failed`; `stale_epoch`, naming the successor.
 */
export async function proveNode(connection: Peer, proof: NodeProof): Promise<number> {
  const { nodeId } = proof;
  await requireProof(connection, proof);
  const own = proof.epoch ?? connection.claims.get(nodeId);
  if (own === undefined) {
    const holder = holderFrom(connection, `connection-${connection.id}`);
    const { nodes } = connection.context.store;
    return takeOver(connection, nodeId, holder, () => nodes.raiseEpoch(nodeId, holder));
  }
  requireCurrent(connection, nodeId, own);
  connection.context.claim(connection, nodeId, own);
  connection.context.leases.returned(nodeId);
  return own;
}

/**
 * Checks a node's secret alone, for what concerns its lease: a program that connects for each refresh takes no epoch, and
 * goes without the node being gone. Answers the epoch that there is.
 * @throws ProtocolFault `provider_auth_failed`
 */
export async function proveLease(connection: Peer, proof: NodeProof): Promise<number> {
  await requireProof(connection, proof);
  return connection.context.store.nodes.require(proof.nodeId).epoch;
}

/**
 * To be asked again in the change itself: another connection may have taken over while it waited.
 * @throws ProtocolFault `stale_epoch`, naming the successor; FsError ENOENT
 */
export function requireCurrent(connection: Peer, nodeId: string, epoch: number): void {
  const current = connection.context.store.nodes.require(nodeId).epoch;
  if (epoch > current) throw new ProtocolFault('invalid_payload', `Epoch ${epoch} was never given.`);
  if (epoch < current) throw staleEpoch(connection, nodeId);
}

/**
 * Makes this the connection of a node. One that held an epoch before, and was overtaken meanwhile by
 * another process that is still there, is refused: it is the paused twin.
 */
export async function connectNode(connection: Peer, proof: NodeLogin): Promise<NodeWelcome> {
  const { nodeId, instanceId = `connection-${connection.id}`, software, lastEpoch } = proof;
  await requireProof(connection, proof);
  connection.proveNode(nodeId);
  const { context } = connection;
  context.leases.keepByConnection(nodeId);
  await context.registrations.enter(connection);
  if (connection.state === 'closed') throw new ProtocolFault('unavailable', 'The connection is gone.');
  const { nodes } = context.store;
  const newHolder = holderFrom(connection, instanceId, software);
  const epoch = await takeOver(connection, nodeId, newHolder, () => {
    const { epoch: current, holder } = nodes.require(nodeId);
    const isTwin =
      lastEpoch !== undefined && lastEpoch < current && holder !== null && holder.instance_id !== instanceId;
    if (isTwin && isHeld(context, nodeId)) throw staleEpoch(connection, nodeId);
    return nodes.claim(nodeId, newHolder);
  });
  connection.becomeNode();
  return { node_id: nodeId, epoch, lease_expires_at_ms: nodes.require(nodeId).leaseExpiresAtMs };
}

/** Whether a connection that has its epoch is open, here or, as far as is known, at another replica. */
function isHeld(context: ServerContext, nodeId: string): boolean {
  if (context.holderOf(nodeId) !== undefined) return true;
  const { nodes, replicas } = context.store;
  return nodes.get(nodeId)?.online === true && replicas?.holderOf(nodeId) !== undefined;
}

export interface NodeLogin {
  readonly nodeId: string;
  readonly secret: string;
  readonly instanceId?: string | undefined;
  /** The version that it runs. */
  readonly software?: string | undefined;
  readonly lastEpoch?: number | undefined;
}

export interface NodeWelcome {
  readonly node_id: string;
  readonly epoch: number;
  readonly lease_expires_at_ms: number | null;
}

/** Somebody who is not the node `nodeId` said that he is: recorded, and made to wait. */
function refused(connection: Peer, nodeId: string): Promise<void> {
  connection.context.authFailures.note(nodeRefusal(connection.context, connection.address, nodeId));
  return delayFailure(connection);
}

/** The node is named where there is one; any other text is the peer's own and stays out of the log. */
export function nodeRefusal(context: ServerContext, address: string, nodeId: string): AuthFailure {
  const isKnown = context.store.nodes.get(nodeId) !== undefined;
  return { act: 'node_login', address, reason: 'bad_node_secret', ...(isKnown ? { nodeId } : {}) };
}

async function requireProof(connection: Peer, proof: NodeProof): Promise<void> {
  const { store } = connection.context;
  const found = store.findAnywhere(() => isProved(connection, proof) || undefined);
  if ((found instanceof Promise ? await found : found) === true) return;
  await refused(connection, proof.nodeId);
  throw new ProtocolFault('provider_auth_failed', 'The node secret is not right.');
}

function isProved({ context }: Peer, { nodeId, secret, leaseToken }: NodeProof): boolean {
  const { nodes } = context.store;
  if (secret !== undefined) return nodes.secretIs(nodeId, secret);
  return leaseToken !== undefined && nodes.leaseTokenIs(nodeId, leaseToken);
}

function holderFrom({ address, connectedAtMs }: Peer, instanceId: string, software?: string): NodeHolder {
  return { instance_id: instanceId, address, connected_at_ms: connectedAtMs, software: software ?? null };
}

/** Raises the epoch for this connection by `raise`, and notifies the one that held it. */
async function takeOver(
  connection: Peer,
  nodeId: string,
  successor: NodeHolder,
  raise: () => number,
): Promise<number> {
  const { context } = connection;
  const { store, leases, tunnels } = context;
  const { epoch, previous } = await store.commit(() => {
    const { holder } = store.nodes.require(nodeId);
    return { previous: holder, epoch: raise() };
  });
  const before = context.claim(connection, nodeId, epoch);
  leases.returned(nodeId);
  before?.push('node_superseded', { node_id: nodeId, epoch, successor });
  if (previous?.instance_id !== successor.instance_id)
    tunnels.cut(nodeId, 'Another process of this node took over.');
  return epoch;
}

function staleEpoch({ context }: Peer, nodeId: string): ProtocolFault {
  const { epoch, holder } = context.store.nodes.require(nodeId);
  return new ProtocolFault('stale_epoch', `Another connection of node "${nodeId}" took over.`, {
    details: { node_id: nodeId, current_epoch: epoch, successor: holder },
  });
}
