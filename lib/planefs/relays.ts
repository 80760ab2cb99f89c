import {
  proveAsCaller,
  RELAY_PATH,
  type RelayConnection,
  type RelayCounts,
  type RelayPeer,
  type RelayReplicas,
} from '../control/index.js';
import { FsError, type Log } from '../core/index.js';
import { MAX_FS_FRAME_BYTES } from '../protocol/index.js';
import {
  ChannelLink,
  CLOSE_GOING_AWAY,
  CLOSE_LOST,
  CLOSE_POLICY,
  connectWs,
  type Transport,
} from '../transport/index.js';
import { sendHello, type Handshake, type ServedConnection } from '../tunnel/index.js';

/** A replica that is called answers in this time, or is taken for gone. */
const CALL_MS = 2_000;
/** One that could not be reached is called again after this time. */
const AGAIN_MS = 250;
/** When this replica stops, those that ask here for nodes that have gone to another one have so long to follow. */
const FOLLOW_MS = 3_000;
const LOOK_MS = 20;
/** A silent one is given up in less than two seconds. */
const KEEPALIVE = { intervalMs: 700, timeoutMs: 700 };

export interface RelaysOptions {
  readonly replicas: RelayReplicas;
  /** The catalog says that the node's connection is here. */
  readonly isOurs: (nodeId: string) => boolean;
  /** Serves the tree of a node that is connected here on a channel, to another replica; throws where it is not. */
  readonly serve: (nodeId: string, channel: Transport) => Promise<ServedConnection>;
  readonly log: Log;
}

interface Called {
  readonly peer: RelayPeer;
  readonly link: Promise<ChannelLink>;
  /** When it failed; it is not called again at once. */
  failedAtMs: number | undefined;
}

/**
 * The ways between the replicas of a control plane: one WebSocket for what one asks of another, and on it a channel for each node,
 * which is as a tunnel is. A request goes one hop: what comes over a channel is served from the node's own tunnel alone.
 */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #called = new Map<string, Called>();
  readonly #callers = new Set<ChannelLink>();
  /** Channels on which others are served, by node. */
  readonly #served = new Map<string, Map<Transport, ServedConnection | null>>();
  /** Nodes that have left this replica: who asks for them here is told. */
  readonly #left = new Set<string>();
  readonly #stop: () => void;
  #isClosed = false;

  constructor(options: RelaysOptions) {
    this.#options = options;
    const { membership } = options.replicas;
    const stopMembers = membership.changed.on(() => this.#membersChanged());
    const stopServing = membership.servingChanged.on((isServing) => {
      if (!isServing) this.#endCallers('This replica has lost touch with its store.');
    });
    this.#stop = () => {
      stopMembers();
      stopServing();
    };
  }

  /** The other replica that has the node's connection, where one has. */
  holderOf(nodeId: string): string | undefined {
    return this.#isClosed ? undefined : this.#options.replicas.holderOf(nodeId)?.id;
  }

  /** Looks for the replica that has the node's connection, where nothing is known of it yet; undefined where that is not so. */
  findHolder(nodeId: string): Promise<boolean> | undefined {
    return this.#isClosed ? undefined : this.#options.replicas.findHolder(nodeId);
  }

  canReach(nodeId: string): boolean {
    return this.holderOf(nodeId) !== undefined;
  }

  /** The node's connection is at this replica. */
  isOurs(nodeId: string): boolean {
    return this.#options.isOurs(nodeId);
  }

  /**
   * A connection to the files of a node at the replica that has it.
   * @throws FsError EHOSTDOWN where there is none, or it cannot be reached
   */
  async connect(nodeId: string): Promise<Handshake> {
    const peer = this.#options.replicas.holderOf(nodeId);
    if (peer === undefined || this.#isClosed)
      throw new FsError('EHOSTDOWN', `Node ${nodeId} is not connected.`);
    const link = await this.#linkTo(peer);
    const channel = link.openChannel(nodeId);
    this.#count('asking', channel);
    try {
      return await sendHello(channel, { moves: true, timeoutMs: CALL_MS * 2 });
    } catch (thrown) {
      this.#counts.failures.not_there++;
      throw thrown;
    }
  }

  /** Another replica has called, and proved that it is one. */
  accept({ transport, replicaId }: RelayConnection): void {
    const { membership } = this.#options.replicas;
    if (this.#isClosed || !membership.isServing()) {
      transport.close(CLOSE_GOING_AWAY, 'This replica serves nothing now.');
      return;
    }
    const link = new ChannelLink(transport, 'accepted', this.#counts);
    this.#callers.add(link);
    transport.onClose(() => this.#callers.delete(link));
    link.opened.on(({ name, channel }) => this.#serve(name, channel, replicaId));
  }

  /** The node is connected here from now on. */
  came(nodeId: string): void {
    this.#left.delete(nodeId);
  }

  /**
   * The node goes to another replica, and those that ask for it here are to do so there. What they ask until then is answered, through
   * that replica too: who follows is connected by one that had the node's own tunnel at that time, so that this leads in no circle.
   */
  left(nodeId: string): void {
    if (this.#left.has(nodeId)) return;
    this.#left.add(nodeId);
    for (const served of this.#served.get(nodeId)?.values() ?? []) sendElsewhere(served);
  }

  /** Answers once nobody asks here any longer for a node that has gone to another replica, or after a while. */
  async followed(): Promise<void> {
    const untilMs = performance.now() + FOLLOW_MS;
    const isAsked = (): boolean => [...this.#left].some((nodeId) => this.#served.has(nodeId));
    while (isAsked() && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  /** The node is no longer connected here: others look for it elsewhere. */
  endServing(nodeId: string): void {
    const channels = this.#served.get(nodeId);
    this.#served.delete(nodeId);
    this.#left.delete(nodeId);
    for (const channel of channels?.keys() ?? [])
      channel.close(CLOSE_GOING_AWAY, 'The node is no longer connected here.');
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    this.#endCallers('The control plane stops.');
    for (const { link } of this.#called.values())
      link.then(
        (open) => open.close(CLOSE_GOING_AWAY, 'The control plane stops.'),
        () => undefined,
      );
    this.#called.clear();
  }

  #serve(nodeId: string, channel: Transport, replicaId: string): void {
    const { serve, log } = this.#options;
    const channels = this.#served.get(nodeId) ?? new Map<Transport, ServedConnection | null>();
    this.#served.set(nodeId, channels.set(channel, null));
    this.#count('serving', channel);
    channel.onClose(() => {
      channels.delete(channel);
      if (channels.size === 0 && this.#served.get(nodeId) === channels) this.#served.delete(nodeId);
    });
    serve(nodeId, channel).then(
      (served) => {
        if (!channels.has(channel)) return;
        channels.set(channel, served);
        if (this.#left.has(nodeId)) sendElsewhere(served);
      },
      (thrown: unknown) => {
        const { message } = FsError.from(thrown);
        log.debug('A node was not relayed.', { node_id: nodeId, replica: replicaId, why: message });
        channel.close(CLOSE_POLICY, message);
      },
    );
  }

  get #counts(): RelayCounts {
    return this.#options.replicas.relayCounts;
  }

  #count(side: keyof RelayCounts['open'], channel: Transport): void {
    const { open } = this.#counts;
    open[side]++;
    channel.onClose(() => open[side]--);
  }

  #linkTo(peer: RelayPeer): Promise<ChannelLink> {
    const called = this.#called.get(peer.id);
    const isToBeCalled =
      called === undefined ||
      (called.failedAtMs !== undefined && performance.now() - called.failedAtMs > AGAIN_MS);
    return isToBeCalled ? this.#call(peer) : called.link;
  }

  #call(peer: RelayPeer): Promise<ChannelLink> {
    const link = this.#connect(peer);
    const called: Called = { peer, link, failedAtMs: undefined };
    this.#called.set(peer.id, called);
    link.catch((thrown: unknown) => {
      called.failedAtMs = performance.now();
      this.#counts.failures[FsError.from(thrown).code === 'EACCES' ? 'not_proved' : 'unreachable']++;
      this.#options.log.warn('Another replica cannot be reached.', {
        replica: peer.id,
        address: peer.address,
        error: FsError.from(thrown).message,
      });
    });
    return link;
  }

  async #connect(peer: RelayPeer): Promise<ChannelLink> {
    const { relayKey: key, membership } = this.#options.replicas;
    // Who the other side is, the key says, which is bound to this very connection.
    const transport = await connectWs(`${peer.address.replace(/\/$/, '')}${RELAY_PATH}`, {
      maxMessageBytes: MAX_FS_FRAME_BYTES,
      timeoutMs: CALL_MS,
      keepalive: KEEPALIVE,
      anyCertificate: true,
      plainMask: true,
    });
    await proveAsCaller(
      transport,
      { key, selfId: membership.selfId, binding: transport.channelBinding },
      peer.id,
    );
    const link = new ChannelLink(transport, 'connected', this.#counts);
    transport.onClose(({ code }) => {
      if (code === CLOSE_LOST && !this.#isClosed) this.#counts.failures.lost++;
      if (this.#called.get(peer.id)?.peer === peer) this.#called.delete(peer.id);
    });
    if (this.#isClosed || membership.member(peer.id) === undefined) link.close();
    return link;
  }

  /** Of a replica that is no more, nothing is waited for. */
  #membersChanged(): void {
    const { membership } = this.#options.replicas;
    for (const [id, { link }] of this.#called) {
      if (membership.member(id) !== undefined) continue;
      this.#called.delete(id);
      link.then(
        (open) => open.close(),
        () => undefined,
      );
    }
  }

  #endCallers(why: string): void {
    for (const link of this.#callers) link.close(CLOSE_GOING_AWAY, why);
  }
}

function sendElsewhere(served: ServedConnection | null): void {
  served?.goAway({
    reason: 'The node goes to another replica.',
    withinMs: 0,
    waitFor: () => undefined,
  });
}
