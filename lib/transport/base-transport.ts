import type { Unsubscribe } from '../core/index.js';
import { LOW_WATER_BYTES, type CloseReason, type Message, type Transport } from './transport.js';

/** What all transports share: the inbox, the listeners for the end, those who wait for room. */
export abstract class BaseTransport implements Transport {
  #receiver: ((message: Message) => void) | undefined;
  #inbox: Message[] = [];
  #closed: CloseReason | undefined;
  readonly #closeListeners = new Set<(reason: CloseReason) => void>();
  #drainWaiters: (() => void)[] = [];
  #paused = false;

  abstract readonly open: boolean;
  abstract readonly bufferedBytes: number;
  abstract send(message: Message, onSpent?: () => void): void;
  abstract close(code?: number, reason?: string): void;
  abstract destroy(): void;
  protected abstract setFlowing(flowing: boolean): void;

  get closed(): CloseReason | undefined {
    return this.#closed;
  }

  receive(receiver: (message: Message) => void): void {
    this.#receiver = receiver;
    this.#deliverInbox();
  }

  pause(): void {
    this.#paused = true;
    this.setFlowing(false);
  }

  resume(): void {
    this.#paused = false;
    this.#deliverInbox();
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- who was given the inbox may have paused
    if (!this.#paused) this.setFlowing(true);
  }

  onClose(listener: (reason: CloseReason) => void): Unsubscribe {
    const reason = this.#closed;
    if (reason === undefined) this.#closeListeners.add(listener);
    else queueMicrotask(() => listener(reason));
    return () => this.#closeListeners.delete(listener);
  }

  drained(): Promise<void> {
    if (!this.open || this.bufferedBytes <= LOW_WATER_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  /** For subclasses: a message came. */
  protected deliver(message: Message): void {
    if (this.#receiver === undefined || this.#paused || this.#inbox.length > 0) {
      this.#inbox.push(message);
      return;
    }
    this.#receiver(message);
  }

  /** For subclasses: some of what was buffered has left. */
  protected left(): void {
    if (this.#drainWaiters.length === 0 || (this.open && this.bufferedBytes > LOW_WATER_BYTES)) return;
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const resolve of waiters) resolve();
  }

  /** For subclasses: it is over. The first reason stands. */
  protected ended(reason: CloseReason): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const resolve of waiters) resolve();
    const listeners = [...this.#closeListeners];
    this.#closeListeners.clear();
    for (const listener of listeners) listener(reason);
  }

  #deliverInbox(): void {
    while (this.#receiver !== undefined && !this.#paused) {
      const message = this.#inbox.shift();
      if (message === undefined) return;
      this.#receiver(message);
    }
  }
}
