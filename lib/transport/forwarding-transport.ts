import type { Unsubscribe } from '../core/index.js';
import type { CloseReason, Message, Transport } from './transport.js';

/** Passes all on to another transport: the base of what wraps one, so that none of them forgets anything of it. */
export class ForwardingTransport implements Transport {
  protected readonly inner: Transport;

  constructor(inner: Transport) {
    this.inner = inner;
  }

  get open(): boolean {
    return this.inner.open;
  }

  get bufferedBytes(): number {
    return this.inner.bufferedBytes;
  }

  get receivedBytes(): number | undefined {
    return this.inner.receivedBytes;
  }

  send(message: Message, onSpent?: () => void): void {
    this.inner.send(message, onSpent);
  }

  drained(): Promise<void> {
    return this.inner.drained();
  }

  receive(receiver: (message: Message) => void): void {
    this.inner.receive(receiver);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  onClose(listener: (reason: CloseReason) => void): Unsubscribe {
    return this.inner.onClose(listener);
  }

  close(code?: number, reason?: string): void {
    this.inner.close(code, reason);
  }

  destroy(): void {
    this.inner.destroy();
  }
}
