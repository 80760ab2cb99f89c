import type { Unsubscribe } from '../../lib/core/index.js';
import type { CloseReason, Message, Transport } from '../../lib/transport/index.js';

/** What may happen to a message that is sent; each a chance from 0 to 1. */
export interface Faults {
  readonly drop?: number;
  readonly duplicate?: number;
  /** Held back until the next message has gone. */
  readonly reorder?: number;
  /** Held back, with all that follow, for a few turns of the event loop. */
  readonly delay?: number;
  /** The connection is cut in place of sending. */
  readonly cut?: number;
}

/** A transport that mistreats what is sent through it, the same way each time for the same `random`. */
export class FaultyTransport implements Transport {
  readonly #inner: Transport;
  readonly #random: () => number;
  faults: Faults;
  #held: Message | undefined;
  #queue: Message[] = [];
  #delaying = false;

  constructor(inner: Transport, faults: Faults, random: () => number) {
    this.#inner = inner;
    this.#random = random;
    this.faults = faults;
  }

  get open(): boolean {
    return this.#inner.open;
  }
  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  send(message: Message): void {
    const { drop = 0, duplicate = 0, reorder = 0, delay = 0, cut = 0 } = this.faults;
    if (this.#random() < cut) return this.#inner.destroy();
    if (this.#random() < drop) return;
    if (this.#random() < reorder && this.#held === undefined) {
      this.#held = message;
      return;
    }
    if (this.#random() < delay) this.#delayAll();
    this.#pass(message);
    if (this.#random() < duplicate) this.#pass(message);
    if (this.#held !== undefined) {
      const held = this.#held;
      this.#held = undefined;
      this.#pass(held);
    }
  }

  drained(): Promise<void> {
    return this.#inner.drained();
  }
  receive(receiver: (message: Message) => void): void {
    this.#inner.receive(receiver);
  }
  pause(): void {
    this.#inner.pause();
  }
  resume(): void {
    this.#inner.resume();
  }
  onClose(listener: (reason: CloseReason) => void): Unsubscribe {
    return this.#inner.onClose(listener);
  }
  close(code?: number, reason?: string): void {
    this.#inner.close(code, reason);
  }
  destroy(): void {
    this.#inner.destroy();
  }

  #pass(message: Message): void {
    if (this.#delaying) this.#queue.push(message);
    else this.#inner.send(message);
  }

  #delayAll(): void {
    if (this.#delaying) return;
    this.#delaying = true;
    let turns = 1 + Math.floor(this.#random() * 5);
    const later = (): void => {
      if (--turns > 0) {
        setImmediate(later);
        return;
      }
      this.#delaying = false;
      for (const message of this.#queue.splice(0)) this.#inner.send(message);
    };
    setImmediate(later);
  }
}

/** A small repeatable source of chance (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
