import { HIGH_WATER_BYTES, type Transport } from '../../transport/index.js';
import type { Awaitable } from '../../vfs/index.js';

/** How much content one session's reads may have on its way at once. */
const MAX_READING_BYTES = 8 * 1024 * 1024;

/**
 * Lets reads begin, in order, as long as the peer takes their answers: a peer that asks for much and reads
 * slowly waits for itself, and holds neither our memory nor anybody else.
 */
export class ReadBudget {
  readonly #transport: Transport;
  #readingBytes = 0;
  readonly #waiting: { bytes: number; enter: () => void }[] = [];
  #draining = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Answers when a read of `bytes` may begin; `leave(bytes)` must follow. */
  enter(bytes: number): Awaitable<void> {
    if (this.#waiting.length === 0 && this.#hasRoom(bytes)) {
      this.#readingBytes += bytes;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push({ bytes, enter: resolve });
      this.#admit();
    });
  }

  leave(bytes: number): void {
    this.#readingBytes -= bytes;
    if (this.#waiting.length > 0) this.#admit();
  }

  #hasRoom(bytes: number): boolean {
    return (
      (this.#readingBytes === 0 || this.#readingBytes + bytes <= MAX_READING_BYTES) &&
      (!this.#transport.open || this.#transport.bufferedBytes <= HIGH_WATER_BYTES)
    );
  }

  #admit(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#hasRoom(next.bytes);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#readingBytes += next.bytes;
      next.enter();
    }
    if (this.#waiting.length === 0 || this.#draining) return;
    if (this.#transport.bufferedBytes <= HIGH_WATER_BYTES) return;
    this.#draining = true;
    void this.#transport.drained().then(() => {
      this.#draining = false;
      this.#admit();
    });
  }
}
