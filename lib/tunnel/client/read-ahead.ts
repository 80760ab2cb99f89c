import { joinBytes } from '../../core/index.js';

/** What one fetch brought. `eof`: there was no more when it was made. */
export interface Fetched {
  readonly data: Uint8Array;
  readonly eof: boolean;
}

interface Chunk {
  readonly at: number;
  readonly size: number;
  readonly fetched: Promise<Fetched>;
}

/** A peer that gives less than it is asked for is asked so many times for the remainder. */
const MAX_TURNS = 64;
export const CHUNK_BYTES = 256 * 1024;
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/** What was fetched ahead and not used for so long is fetched again. */
const MAX_AGE_MS = 1000;

/**
 * Reads a descriptor in chunks that are asked for side by side, and, as long as it is read from front to
 * back, ahead of the reader: twice as far each time, up to a limit.
 */
export class ReadAhead {
  readonly #fetch: (at: number, count: number) => Promise<Fetched>;
  readonly #chunkBytes: number;
  #chunks: Chunk[] = [];
  #end = 0;
  #expected = -1;
  #windowBytes = 0;
  #lastMs = 0;

  constructor(fetch: (at: number, count: number) => Promise<Fetched>, chunkBytes = CHUNK_BYTES) {
    this.#fetch = fetch;
    this.#chunkBytes = chunkBytes;
  }

  /** Forgets what was fetched ahead: it may no longer be true. */
  reset(): void {
    this.#chunks = [];
    this.#expected = -1;
  }

  /** Up to `size` bytes from `at`; fewer only at the end. `sizeHint`: do not read ahead beyond it. */
  read(at: number, size: number, sizeHint: number): Promise<Uint8Array> {
    const now = performance.now();
    if (at !== this.#expected || now - this.#lastMs > MAX_AGE_MS) {
      this.#chunks = [];
      this.#end = at;
      this.#windowBytes = at === this.#expected ? this.#windowBytes : 0;
    } else {
      this.#windowBytes = Math.min(MAX_WINDOW_BYTES, Math.max(this.#windowBytes * 2, this.#chunkBytes * 2));
    }
    this.#lastMs = now;
    const to = at + size;
    const ahead = Math.min(to + this.#windowBytes, Math.max(sizeHint, to));
    while (this.#end < ahead) {
      const count = this.#windowBytes > 0 ? this.#chunkBytes : Math.min(this.#chunkBytes, to - this.#end);
      const fetched = this.#fetch(this.#end, count);
      // It may never be read; a reader that does sees the failure.
      fetched.catch(() => undefined);
      this.#chunks.push({ at: this.#end, size: count, fetched });
      this.#end += count;
    }
    const mine = this.#chunks.filter((chunk) => chunk.at < to);
    this.#chunks = this.#chunks.filter((chunk) => chunk.at + chunk.size > to);
    this.#expected = to;
    return this.#gather(at, to, mine);
  }

  async #gather(at: number, to: number, chunks: readonly Chunk[]): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let have = at;
    for (const chunk of chunks) {
      const { data, eof } = await chunk.fetched;
      const part = data.subarray(have - chunk.at, to - chunk.at);
      parts.push(part);
      have += part.byteLength;
      if (have === Math.min(to, chunk.at + chunk.size)) continue;
      this.reset();
      if (!eof) await this.#rest(have, to, parts);
      break;
    }
    return joinBytes(parts);
  }

  /** The peer gave less than it was asked for, and it was not the end: asks for the remainder. */
  async #rest(from: number, to: number, parts: Uint8Array[]): Promise<void> {
    let have = from;
    for (let turns = 0; have < to && turns < MAX_TURNS; turns++) {
      const { data, eof } = await this.#fetch(have, to - have);
      parts.push(data);
      have += data.byteLength;
      if (eof || data.byteLength === 0) break;
    }
  }
}
