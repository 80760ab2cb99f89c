import { FsError } from '../../core/index.js';
import { newIno } from '../../vfs/index.js';
import type { Service } from '../service.js';

/** What the drafts of one principal may hold together, beside one request of the largest size. */
const MIN_BYTES = 8 * 1024 * 1024;

export interface Room {
  /** How many bytes the drafts hold. */
  bytes: number;
  readonly most: () => number;
}

export function roomFor(service: Service): Room {
  return {
    bytes: 0,
    most: () => Math.max(MIN_BYTES, 2 * service.definition.runtime.limits.maxPayloadBytes),
  };
}

/** A file that somebody writes before it is a call; in memory, and gone when the node ends. */
export class Draft {
  readonly ino = newIno();
  mtimeMs: number;
  readonly #room: Room;
  #bytes = Buffer.alloc(0);
  #size = 0;
  #opened = 0;
  #isLinked = true;

  constructor(room: Room, nowMs: number) {
    this.#room = room;
    this.mtimeMs = nowMs;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** @throws FsError ENOSPC where the drafts hold too much */
  write(at: number, data: Uint8Array, nowMs: number): void {
    this.#grow(at + data.length);
    this.#bytes.set(data, at);
    this.#size = Math.max(this.#size, at + data.length);
    this.mtimeMs = nowMs;
  }

  truncate(size: number, nowMs: number): void {
    this.#grow(size);
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
    this.mtimeMs = nowMs;
  }

  open(): void {
    this.#opened++;
  }

  close(): void {
    this.#opened--;
    this.#free();
  }

  /** No name leads to it any more. */
  unlink(): void {
    this.#isLinked = false;
    this.#free();
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const capacity = Math.max(size, Math.min(2 * this.#bytes.length, size + 1024 * 1024), 512);
    const more = capacity - this.#bytes.length;
    if (this.#room.bytes + more > this.#room.most())
      throw new FsError('ENOSPC', `The files here hold more than ${this.#room.most()} bytes.`, {
        hint: 'Remove those that are left over; what was submitted does not count.',
      });
    this.#room.bytes += more;
    const grown = Buffer.alloc(capacity);
    this.bytes.copy(grown);
    this.#bytes = grown;
  }

  #free(): void {
    if (this.#isLinked || this.#opened > 0) return;
    this.#room.bytes -= this.#bytes.length;
    this.#bytes = Buffer.alloc(0);
    this.#size = 0;
  }
}
