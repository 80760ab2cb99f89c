import type { Socket } from 'node:net';
import { networkOf, TokenBuckets, type Clock } from '../../core/index.js';
import type { Transport } from '../../transport/index.js';
import type { NodeHomes } from './node-homes.js';

/** Sockets at a time of which nobody has said who he is: of one address (or /64), and of all together. */
export const MAX_STRANGERS_PER_ADDRESS = 1024;
const MAX_STRANGERS = 8192;
/** So many more for each node that came from there last: they may all come at once. */
const SOCKETS_OF_A_NODE = 2;
/** The first frames of each connection do not count for its address, behind which there may be thousands. */
const FRAMES_OF_A_HANDSHAKE = 2;

/** Frames without a token: of one connection, and of all of an address. */
const OF_A_CONNECTION = { burst: 20, perSecond: 10 };
const OF_AN_ADDRESS = { burst: 5_000, perSecond: 500 };

/** The longest message of a stranger; twice that is read, so that one just above it is answered. */
export const MAX_STRANGER_FRAME_BYTES = 64 * 1024;

/**
 * Connections that have proved nothing yet. They cost little and cannot take the room of others: few
 * sockets, small messages, and no more of them in a second than a machine that pairs needs.
 */
export class Strangers {
  /** By network and far end; the oldest stands first. */
  readonly #byNetwork = new Map<string, Map<string, Socket>>();
  readonly #networks = new Map<string, string>();
  readonly #frames: TokenBuckets;
  readonly #ofAddress: TokenBuckets;
  readonly #clock: Clock;
  readonly #homes: NodeHomes;

  constructor(clock: Clock, homes: NodeHomes) {
    this.#clock = clock;
    this.#homes = homes;
    this.#frames = new TokenBuckets({ clock, ...OF_A_CONNECTION });
    this.#ofAddress = new TokenBuckets({ clock, ...OF_AN_ADDRESS });
  }

  get size(): number {
    return this.#networks.size;
  }

  /**
   * Counts a socket until it closes or is known. Where there are too many, the one that has said nothing for
   * longest makes room: an honest peer is known in a moment.
   */
  enter(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    const end = farEndOf(socket);
    const own = this.#byNetwork.get(network) ?? new Map<string, Socket>();
    this.#makeRoom(own, MAX_STRANGERS_PER_ADDRESS + SOCKETS_OF_A_NODE * this.#homes.at(network));
    this.#makeRoom(this.#networks, MAX_STRANGERS + SOCKETS_OF_A_NODE * this.#homes.size);
    own.set(end, socket);
    this.#byNetwork.set(network, own);
    this.#networks.set(end, network);
    socket.once('close', () => this.know(end));
  }

  /** The socket with this far end is no stranger's any more. */
  know(farEnd: string): void {
    const network = this.#networks.get(farEnd);
    if (network === undefined) return;
    this.#networks.delete(farEnd);
    const own = this.#byNetwork.get(network);
    own?.delete(farEnd);
    if (own?.size === 0) this.#byNetwork.delete(network);
  }

  #makeRoom(farEnds: ReadonlyMap<string, unknown>, most: number): void {
    const oldest = farEnds.keys().next();
    if (farEnds.size >= most && oldest.done !== true) this.#turnOut(oldest.value);
  }

  #turnOut(farEnd: string): void {
    const socket = this.#byNetwork.get(this.#networks.get(farEnd) ?? '')?.get(farEnd);
    this.know(farEnd);
    socket?.destroy();
  }

  /** The message number `nth` of a stranger came, from 1: reads no more of them from this connection than it may send. */
  slow(
    transport: Pick<Transport, 'pause' | 'resume'>,
    nth: number,
    { id: connectionId, address }: { readonly id: string; readonly address: string },
  ): void {
    const network = networkOf(address);
    const isCounted = nth > FRAMES_OF_A_HANDSHAKE;
    const isFast = !this.#frames.take(connectionId) || (isCounted && !this.#ofAddress.take(network));
    if (!isFast) return;
    const waitMs = Math.max(this.#frames.waitMs(connectionId), this.#ofAddress.waitMs(network), 1);
    transport.pause();
    this.#clock.after(waitMs, () => transport.resume());
  }
}

/** Names a connection from the outside: the same for a TLS socket and for the one below it. */
export function farEndOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''}|${remotePort ?? 0}`;
}
