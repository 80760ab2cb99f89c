import { createHash } from 'node:crypto';

/** What a key is looked up by: 52 bits of a hash, so that it is a number; whose it is, in 32 bits. */
export interface KeyHash {
  readonly hash: number;
  readonly principal: number;
}

export function hashOfKey(principal: string, key: string): KeyHash {
  const digest = createHash('sha256').update(`${principal}\n${key}`).digest();
  return {
    hash: digest.readUIntBE(0, 6) * 16 + (digest.readUInt8(6) & 15),
    principal: hashOfPrincipal(principal),
  };
}

export function hashOfPrincipal(principal: string): number {
  return createHash('sha256').update(principal).digest().readUInt32LE();
}

/** Where the newest record of a key lies in its segment, and whether that is the key's outcome. */
export interface Place {
  readonly offset: number;
  readonly ended: boolean;
}

export interface Entry extends KeyHash, Place {
  /** Bytes of the record. */
  readonly length: number;
  /** When the key was accepted. */
  readonly atMs: number;
}

/** The keys of one segment: a hash to a place. */
export interface KeyTable {
  readonly size: number;
  find(hash: number): Place | undefined;
  /** The places of a principal's keys, in no order. */
  placesOf(principal: number): Place[];
}

/** A table that grows: the newer of two entries of a key replaces the older. */
export class GrowingTable implements KeyTable {
  readonly entries = new Map<number, Entry>();

  get size(): number {
    return this.entries.size;
  }

  add(entry: Entry): void {
    this.entries.set(entry.hash, entry);
  }

  find(hash: number): Place | undefined {
    return this.entries.get(hash);
  }

  placesOf(principal: number): Place[] {
    return [...this.entries.values()].filter((entry) => entry.principal === principal);
  }
}

const ENDED = 0x8000_0000;

/** A table that no longer changes: 16 bytes for each key. */
export class SortedTable implements KeyTable {
  readonly #hashes: Float64Array;
  readonly #principals: Uint32Array;
  readonly #places: Uint32Array;

  /** `bytes` as `toBytes` made them. */
  constructor(bytes: Uint8Array) {
    const count = Math.floor(bytes.length / 16);
    // A copy, so that the numbers lie where their size wants them to.
    const { buffer } = Uint8Array.from(bytes);
    this.#hashes = new Float64Array(buffer, 0, count);
    this.#principals = new Uint32Array(buffer, count * 8, count);
    this.#places = new Uint32Array(buffer, count * 12, count);
  }

  static toBytes(entries: Iterable<Entry>): Uint8Array {
    const sorted = [...entries].sort((a, b) => a.hash - b.hash);
    const bytes = new Uint8Array(sorted.length * 16);
    const hashes = new Float64Array(bytes.buffer, 0, sorted.length);
    const principals = new Uint32Array(bytes.buffer, sorted.length * 8, sorted.length);
    const places = new Uint32Array(bytes.buffer, sorted.length * 12, sorted.length);
    for (const [index, { hash, principal, offset, ended }] of sorted.entries()) {
      hashes[index] = hash;
      principals[index] = principal;
      places[index] = ended ? (offset | ENDED) >>> 0 : offset;
    }
    return bytes;
  }

  get size(): number {
    return this.#hashes.length;
  }

  find(hash: number): Place | undefined {
    let low = 0;
    let high = this.#hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#hashes[middle] ?? Infinity) < hash) low = middle + 1;
      else high = middle;
    }
    return this.#hashes[low] === hash ? this.#placeAt(low) : undefined;
  }

  placesOf(principal: number): Place[] {
    const places: Place[] = [];
    for (let index = 0; index < this.#principals.length; index++)
      if (this.#principals[index] === principal) places.push(this.#placeAt(index));
    return places;
  }

  #placeAt(index: number): Place {
    const place = this.#places[index] ?? 0;
    return { offset: (place & ~ENDED) >>> 0, ended: place >= ENDED };
  }
}
