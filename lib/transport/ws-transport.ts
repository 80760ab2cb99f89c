import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { RawData, WebSocket } from 'ws';
import { systemClock, type Clock } from '../core/index.js';
import { BaseTransport } from './base-transport.js';
import { CLOSE_LOST, CLOSE_NORMAL, isInParts, type Message, type Parts } from './transport.js';

/** When a silent peer is given up. */
export interface Keepalive {
  /** A ping goes out this long after the last sign of life; 0 for never. */
  readonly intervalMs: number;
  /** It is cut when nothing came for this long after a ping. */
  readonly timeoutMs: number;
  /**
   * Called in place of cutting it: who has another server to go to does so, and keeps this connection until then. It is
   * cut where nothing came for `CUT_AFTER_SILENCE_MS` from then on.
   */
  readonly onSilent?: () => void;
  readonly clock?: Clock;
}

const CUT_AFTER_SILENCE_MS = 10_000;
/** Far longer than a timer should take to come: we did not run, and know nothing of the peer. */
const LATE_MS = 300;

/** A peer that does not answer a close in this time is cut (an option of ws that its types do not know yet). */
export const CLOSE_TIMEOUT = { closeTimeout: 2_000 };

export const DEFAULT_KEEPALIVE: Keepalive = { intervalMs: 20_000, timeoutMs: 10_000 };

/** Of a client that has other servers to go to: it is away from a silent one in less than two seconds. */
export const QUICK_KEEPALIVE: Keepalive = { intervalMs: 700, timeoutMs: 600 };

/**
 * An open `WebSocket` of the `ws` package as a `Transport`. What is sent within one turn of the event loop
 * leaves together: handing bytes to the kernel costs more than all else about a small message.
 */
export class WsTransport extends BaseTransport {
  readonly #socket: WebSocket;
  readonly #wire: Duplex;
  #gathering = false;
  #stopKeepalive: (() => void) | undefined;
  #alive = true;
  /** When something came last, by the clock of the keepalive. */
  #heardMs = 0;
  readonly #now: () => number;
  readonly #onSent = (): void => this.left();

  /** `wire`: the connection that `socket` runs on. */
  constructor(socket: WebSocket, wire: Duplex, keepalive: Keepalive = DEFAULT_KEEPALIVE) {
    super();
    this.#socket = socket;
    this.#wire = wire;
    const { clock = systemClock } = keepalive;
    this.#now = () => clock.now();
    socket.binaryType = 'fragments';
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.#hear();
      this.deliver(isBinary ? bytesFromRaw(data) : (data as Buffer).toString('utf8'));
    });
    socket.on('pong', () => this.#hear());
    socket.on('ping', () => this.#hear());
    // What goes wrong on the socket (a bad frame, a reset) ends it: 'close' follows, with the code.
    let failure = '';
    socket.on('error', (error) => {
      failure = error.message;
    });
    socket.on('close', (code, reason) => {
      this.#stopKeepalive?.();
      this.ended({ code, reason: reason.length > 0 ? reason.toString('utf8') : failure });
    });
    if (keepalive.intervalMs > 0) this.#watch(keepalive);
  }

  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get receivedBytes(): number {
    return (this.#wire as Partial<Socket>).bytesRead ?? 0;
  }

  /**
   * What both ends of this very connection know, and nobody between them does (RFC 5705), as hexadecimal digits; empty where it
   * is not encrypted.
   */
  get channelBinding(): string {
    if (!(this.#wire instanceof TLSSocket)) return '';
    return this.#wire.exportKeyingMaterial(32, 'EXPORTER-acheron-relay', Buffer.alloc(0)).toString('hex');
  }

  send(message: Message, onSpent?: () => void): void {
    if (!this.open) return;
    this.#gather();
    if (typeof message === 'string' || !isInParts(message)) {
      this.#socket.send(message, { binary: typeof message !== 'string', compress: false }, this.#onSent);
      return;
    }
    this.#socket.send(message[0], { binary: true, compress: false, fin: false });
    if (onSpent === undefined) this.#sendLast(message[1], this.#onSent);
    else this.#sendLent(message[1], onSpent);
  }

  #sendLast(part: Uint8Array, onSent: () => void): void {
    this.#socket.send(part, { binary: true, compress: false, fin: true }, onSent);
  }

  /**
   * What a client sends is masked (RFC 6455, 5.3). The package `ws` makes a masked copy, since it cannot know that it may
   * change what it is given; what its sender is told to be its own, it masks where it is.
   */
  #sendLent(part: Uint8Array, onSpent: () => void): void {
    const onSent = (): void => {
      this.#onSent();
      onSpent();
    };
    const { _sender: sender, _isServer: isServer } = this.#socket as unknown as WsInsides;
    // Another release of the package may not be made so inside.
    const frameOf = sender?.constructor.frame;
    const isMasked = isServer === false && sender?._generateMask === undefined;
    if (!isMasked || frameOf === undefined || sender?.sendFrame === undefined) {
      this.#sendLast(part, onSent);
      return;
    }
    const frame = frameOf(part, {
      fin: true,
      opcode: CONTINUATION,
      mask: true,
      readOnly: false,
      rsv1: false,
    });
    sender._firstFragment = true;
    sender.sendFrame(frame, onSent);
  }

  close(code = CLOSE_NORMAL, reason = ''): void {
    if (!this.open) return;
    this.#socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString('utf8')
        .replace(/\uFFFD+$/, ''),
    );
    this.left();
  }

  destroy(): void {
    this.#stopKeepalive?.();
    this.#socket.terminate();
    // A paused socket would wait for half a minute before it is gone.
    this.#socket.resume();
    this.ended({ code: CLOSE_LOST, reason: 'The connection was cut.' });
  }

  /**
   * Takes messages of up to `bytes` from now on: a peer that has proved who it is may send more than a stranger. The
   * package `ws` has this limit per server alone; its receiver looks at it with each frame.
   */
  limitMessages(bytes: number): void {
    const { _receiver: receiver } = this.#socket as unknown as { _receiver: { _maxPayload: number } };
    receiver._maxPayload = bytes;
  }

  protected setFlowing(flowing: boolean): void {
    if (flowing) this.#socket.resume();
    else this.#socket.pause();
  }

  override pause(): void {
    // While we do not read, silence is ours, not the peer's.
    super.pause();
    this.#hear();
  }

  #hear(): void {
    this.#alive = true;
    this.#heardMs = this.#now();
  }

  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#wire.cork();
    // Behind all promises that are settled: an answer leaves with the news that its request made.
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#gathering = false;
        this.#wire.uncork();
      }),
    );
  }

  /** Whatever comes is a sign of life, the other side's ping too: of two quiet sides one asks. */
  #watch({ intervalMs, timeoutMs, onSilent, clock = systemClock }: Keepalive): void {
    const wait = (forMs: number, wasTold: boolean): void => {
      const dueMs = this.#now() + forMs;
      this.#stopKeepalive = clock.after(forMs, () => {
        if (this.#alive || this.#socket.isPaused) look();
        else if (onSilent === undefined || wasTold) this.destroy();
        // What came while we did not run is not read yet.
        else if (this.#now() > dueMs + LATE_MS) wait(forMs, false);
        else {
          wait(CUT_AFTER_SILENCE_MS, true);
          onSilent();
        }
      });
    };
    const look = (): void => {
      const quietMs = Math.max(0, this.#now() - this.#heardMs);
      if (quietMs < intervalMs) {
        this.#stopKeepalive = clock.after(Math.ceil(intervalMs - quietMs), look);
        return;
      }
      this.#alive = false;
      if (this.open) this.#socket.ping();
      wait(timeoutMs, false);
    };
    this.#hear();
    this.#stopKeepalive = clock.after(intervalMs, look);
  }
}

/** The opcode of a fragment that is not the first. */
const CONTINUATION = 0;

/** What is used of the package `ws` beside its interface. Nothing here is compressed, so that each frame leaves at once. */
interface WsInsides {
  readonly _isServer?: boolean;
  readonly _sender?: {
    readonly constructor: { readonly frame?: (data: Uint8Array, options: object) => readonly Uint8Array[] };
    /** The next frame begins a message. */
    _firstFragment: boolean;
    /** Where masks are not random. */
    readonly _generateMask?: unknown;
    sendFrame?(frame: readonly Uint8Array[], onSent: () => void): void;
  };
}

/** The fragments of a message, joined unless they are one or two. */
function bytesFromRaw(data: RawData): Uint8Array | Parts {
  const [first, second, ...more] = data as Buffer[];
  if (first === undefined) return new Uint8Array(0);
  if (second === undefined) return first;
  return more.length === 0 ? [first, second] : Buffer.concat(data as Buffer[]);
}
