import { Emitter } from '../core/index.js';
import { BaseTransport } from './base-transport.js';
import {
  bytesOfMessage,
  CLOSE_LOST,
  CLOSE_NORMAL,
  CLOSE_PROTOCOL_ERROR,
  HIGH_WATER_BYTES,
  isInParts,
  type CloseReason,
  type Message,
  type Transport,
} from './transport.js';

/** So much of one channel may be on its way without having been taken in at the other end. */
const WINDOW_BYTES = 8 * 1024 * 1024;
/** What was taken in is said after so much of it. */
const GRANT_BYTES = WINDOW_BYTES / 4;
/** So many channels at most, opened by the other side. */
const MAX_CHANNELS = 50_000;
const MAX_NAME_CHARS = 256;

/** A channel that the other side has opened, by the name that it gave. */
export interface OpenedChannel {
  readonly name: string;
  readonly channel: Transport;
}

/** What went over links, in bytes of messages. */
export interface LinkTraffic {
  sentBytes: number;
  receivedBytes: number;
}

/**
 * Many transports over one. Each has a window of its own, so that one which is not read holds up none of the others; they
 * send in turns while the one below has room.
 *
 * A text message is the number of its channel, a letter, and what it says: `o` opens the channel, `d` is a message, `w` so many
 * bytes were taken in, `c` closes it. A binary message is the number of its channel (4 bytes, big endian) and the message.
 */
export class ChannelLink {
  /** In the turn in which it comes; whoever wants none of it closes the channel. */
  readonly opened = new Emitter<OpenedChannel>();
  readonly #transport: Transport;
  readonly #traffic: LinkTraffic;
  readonly #channels = new Map<number, Channel>();
  /** Those that have something to send. */
  readonly #ready = new Set<Channel>();
  /** The side that connected opens even numbers, the other one odd ones. */
  #next: number;
  readonly #parity: number;
  #isWaiting = false;

  constructor(transport: Transport, side: 'connected' | 'accepted', traffic?: LinkTraffic) {
    this.#transport = transport;
    this.#traffic = traffic ?? { sentBytes: 0, receivedBytes: 0 };
    this.#parity = side === 'connected' ? 0 : 1;
    this.#next = this.#parity + 2;
    transport.onClose((reason) => {
      for (const channel of [...this.#channels.values()]) channel.lost(reason);
      this.#channels.clear();
      this.#ready.clear();
    });
    transport.receive((message) => this.#receive(message));
    transport.resume();
  }

  get open(): boolean {
    return this.#transport.open;
  }

  get size(): number {
    return this.#channels.size;
  }

  openChannel(name: string): Transport {
    const channel = this.#add(this.#next);
    this.#next += 2;
    this.#transport.send(`${channel.id}o${name}`);
    if (!this.#transport.open) channel.lost({ code: CLOSE_LOST, reason: 'The link is not there.' });
    return channel;
  }

  close(code?: number, reason?: string): void {
    this.#transport.close(code, reason);
  }

  #add(id: number): Channel {
    const channel = new Channel(id, {
      traffic: this.#traffic,
      ready: (one) => {
        this.#ready.add(one);
        this.#pump();
      },
      granted: (one, bytes) => this.#transport.send(`${one.id}w${bytes}`),
      ended: (one, reason) => {
        this.#channels.delete(one.id);
        this.#ready.delete(one);
        if (reason !== undefined) this.#transport.send(`${one.id}c${reason.code} ${reason.reason}`);
      },
    });
    this.#channels.set(id, channel);
    return channel;
  }

  /** One message of each in turn, as long as the transport below has room. */
  #pump(): void {
    while (this.#ready.size > 0) {
      if (!this.#transport.open) return;
      if (this.#transport.bufferedBytes > HIGH_WATER_BYTES) {
        this.#waitForRoom();
        return;
      }
      for (const channel of [...this.#ready]) {
        const next = channel.take();
        if (next === undefined) {
          this.#ready.delete(channel);
          continue;
        }
        this.#send(channel.id, next);
      }
    }
  }

  #waitForRoom(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    void this.#transport.drained().then(() => {
      this.#isWaiting = false;
      this.#pump();
    });
  }

  #send(id: number, { message, onSpent }: Queued): void {
    if (typeof message === 'string') {
      this.#transport.send(`${id}d${message}`);
      return;
    }
    const [first, second] = isInParts(message) ? message : [message, undefined];
    const head = Buffer.allocUnsafe(4 + (second === undefined ? 0 : first.byteLength));
    head.writeUInt32BE(id, 0);
    if (second === undefined) this.#transport.send([head, first]);
    else {
      head.set(first, 4);
      this.#transport.send([head, second], onSpent);
    }
  }

  #receive(message: Message): void {
    if (typeof message !== 'string') {
      this.#receiveBytes(message);
      return;
    }
    const [, digits, what, rest = ''] = /^(\d{1,10})([odwc])([^]*)$/.exec(message) ?? [];
    const id = Number(digits);
    if (digits === undefined || what === undefined) {
      this.#fault();
      return;
    }
    if (what === 'o') this.#receiveOpen(id, rest);
    else if (what === 'd') this.#channels.get(id)?.come(rest);
    else if (what === 'w') this.#channels.get(id)?.grant(Number(rest));
    else {
      const [, code = '', reason = ''] = /^(\d{4}) ([^]*)$/.exec(rest) ?? [];
      this.#channels.get(id)?.lost({ code: Number(code) || CLOSE_NORMAL, reason });
      this.#channels.delete(id);
    }
  }

  #receiveOpen(id: number, name: string): void {
    const isTheirs = id % 2 !== this.#parity && !this.#channels.has(id);
    if (!isTheirs || this.#channels.size >= MAX_CHANNELS || name.length > MAX_NAME_CHARS) {
      this.#fault();
      return;
    }
    this.opened.emit({ name, channel: this.#add(id) });
  }

  #receiveBytes(message: Uint8Array | readonly [Uint8Array, Uint8Array]): void {
    const whole = isInParts(message) ? message[0] : message;
    if (whole.byteLength < 4) {
      if (isInParts(message)) this.#receiveBytes(Buffer.concat(message));
      else this.#fault();
      return;
    }
    const id = Buffer.from(whole.buffer, whole.byteOffset, 4).readUInt32BE(0);
    const first = whole.subarray(4);
    const channel = this.#channels.get(id);
    if (!isInParts(message)) channel?.come(first);
    else channel?.come(first.byteLength === 0 ? message[1] : [first, message[1]]);
  }

  #fault(): void {
    this.#transport.close(CLOSE_PROTOCOL_ERROR, 'A message could not be read.');
  }
}

interface Queued {
  readonly message: Message;
  readonly bytes: number;
  readonly onSpent: (() => void) | undefined;
}

interface ChannelHost {
  readonly traffic: LinkTraffic;
  ready(channel: Channel): void;
  granted(channel: Channel, bytes: number): void;
  /** Without a reason the other side knows. */
  ended(channel: Channel, reason?: CloseReason): void;
}

/** One of the transports of a `ChannelLink`. */
class Channel extends BaseTransport {
  readonly id: number;
  readonly #host: ChannelHost;
  readonly #queue: Queued[] = [];
  #queuedBytes = 0;
  #credit = WINDOW_BYTES;
  #taken = 0;
  #isOpen = true;
  /** Why it is to be closed once what was sent has left. */
  #closing: CloseReason | undefined;

  constructor(id: number, host: ChannelHost) {
    super();
    this.id = id;
    this.#host = host;
  }

  get open(): boolean {
    return this.#isOpen && this.#closing === undefined;
  }

  get bufferedBytes(): number {
    return this.#queuedBytes;
  }

  override receive(receiver: (message: Message) => void): void {
    super.receive((message) => {
      this.#tookIn(bytesOfMessage(message));
      receiver(message);
    });
  }

  send(message: Message, onSpent?: () => void): void {
    if (!this.open) return;
    const bytes = bytesOfMessage(message);
    this.#queue.push({ message, bytes, onSpent });
    this.#queuedBytes += bytes;
    this.#host.ready(this);
  }

  close(code = CLOSE_NORMAL, reason = ''): void {
    if (!this.open) return;
    this.#closing = { code, reason };
    this.#closeIfEmpty();
  }

  destroy(): void {
    if (!this.#isOpen) return;
    this.#end({ code: CLOSE_LOST, reason: 'The connection was cut.' }, true);
  }

  /** For the link: what is to be sent next, if anything may be. */
  take(): Queued | undefined {
    if (this.#credit <= 0) return undefined;
    const next = this.#queue.shift();
    if (next === undefined) return undefined;
    const { bytes } = next;
    this.#credit -= bytes;
    this.#host.traffic.sentBytes += bytes;
    this.#queuedBytes -= bytes;
    if (this.#queue.length === 0 && this.#closing !== undefined) setImmediate(() => this.#closeIfEmpty());
    this.left();
    return next;
  }

  /** For the link: the other side has taken in so much. */
  grant(bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes < 0) return;
    this.#credit += bytes;
    if (this.#queue.length > 0) this.#host.ready(this);
  }

  /** For the link: a message came. */
  come(message: Message): void {
    if (this.#isOpen) this.deliver(message);
  }

  /** For the link: the other side has closed it, or all is lost. */
  lost(reason: CloseReason): void {
    this.#end(reason, false);
  }

  protected setFlowing(): void {
    // Who does not read takes nothing in, and the window does the rest.
  }

  #tookIn(bytes: number): void {
    this.#taken += bytes;
    this.#host.traffic.receivedBytes += bytes;
    if (this.#taken < GRANT_BYTES || !this.#isOpen) return;
    this.#host.granted(this, this.#taken);
    this.#taken = 0;
  }

  #closeIfEmpty(): void {
    if (this.#queue.length === 0 && this.#closing !== undefined) this.#end(this.#closing, true);
  }

  #end(reason: CloseReason, isOurs: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#host.ended(this, isOurs ? reason : undefined);
    this.ended(reason);
  }
}
