import { BaseTransport } from './base-transport.js';
import { bytesOfMessage, CLOSE_LOST, CLOSE_NORMAL, type CloseReason, type Message } from './transport.js';

/** Two ends of one channel within the process: for tests, and for parts that share a process. */
export function memoryPair(): [MemoryTransport, MemoryTransport] {
  const left = new MemoryTransport();
  const right = new MemoryTransport();
  left.join(right);
  right.join(left);
  return [left, right];
}

/** One end of a `memoryPair`. Messages arrive in a later turn of the event loop, as over a socket. */
export class MemoryTransport extends BaseTransport {
  #peer: MemoryTransport | undefined;
  #outbox: (Message | CloseReason)[] = [];
  #buffered = 0;
  #open = true;
  #scheduled = false;
  #flowing = true;

  get open(): boolean {
    return this.#open;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  join(peer: MemoryTransport): void {
    this.#peer = peer;
  }

  send(message: Message): void {
    if (!this.#open) return;
    this.#buffered += bytesOfMessage(message);
    this.#outbox.push(message);
    this.#schedule();
  }

  close(code = CLOSE_NORMAL, reason = ''): void {
    if (!this.#open) return;
    this.#open = false;
    this.#outbox.push({ code, reason });
    this.#schedule();
  }

  destroy(): void {
    this.#open = false;
    this.#outbox = [];
    this.#end({ code: CLOSE_LOST, reason: 'The connection was cut.' });
    const peer = this.#peer;
    if (peer !== undefined) setImmediate(() => peer.#end({ code: CLOSE_LOST, reason: 'The peer was lost.' }));
  }

  protected setFlowing(flowing: boolean): void {
    this.#flowing = flowing;
    const peer = this.#peer;
    if (flowing && peer !== undefined) peer.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const peer = this.#peer;
    while (peer !== undefined && peer.#flowing) {
      const next = this.#outbox.shift();
      if (next === undefined) break;
      if (typeof next === 'object' && 'reason' in next) {
        this.#end(next);
        peer.#end(next);
        return;
      }
      this.#buffered -= bytesOfMessage(next);
      if (peer.#open) peer.deliver(next);
    }
    this.left();
  }

  #end(reason: CloseReason): void {
    this.#open = false;
    this.#outbox = [];
    this.#buffered = 0;
    this.ended(reason);
  }
}
