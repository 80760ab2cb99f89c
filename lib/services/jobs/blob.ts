import { joinBytes } from '../../core/index.js';
import type { ByteStore, Extent, Segment } from '../../disk/index.js';

/** Bytes of a job that lie in the log, in as many runs as they came; only grows at its end. */
export class Blob {
  readonly #log: ByteStore;
  #extents: Extent[] = [];
  #size = 0;

  constructor(log: ByteStore) {
    this.#log = log;
  }

  get size(): number {
    return this.#size;
  }

  add(extent: Extent): void {
    this.#extents.push(extent);
    this.#size += extent.length;
    extent.segment.live += liveBytes(extent);
  }

  read(at: number, size: number): Buffer {
    const wanted = Math.max(0, Math.min(size, this.#size - at));
    const parts: Buffer[] = [];
    let start = 0;
    for (const extent of this.#extents) {
      const from = Math.max(at, start);
      const to = Math.min(at + wanted, start + extent.length);
      if (from < to) parts.push(this.#log.read(extent, from - start, to - from));
      start += extent.length;
      if (start >= at + wanted) break;
    }
    return joinBytes(parts);
  }

  all(): Buffer {
    return this.read(0, this.#size);
  }

  isIn(segment: Segment): boolean {
    return this.#extents.some((extent) => extent.segment === segment);
  }

  /** Lets go of the bytes: they may be deleted. The blob is empty afterwards. */
  release(): void {
    for (const extent of this.#extents) extent.segment.live -= liveBytes(extent);
    this.#extents = [];
    this.#size = 0;
  }

  /** The same bytes, now found elsewhere. */
  moveTo(extent: Extent): void {
    this.release();
    this.add(extent);
  }
}

/** An empty body is needed too, for the sake of its record: each counts with the newline at its end. */
const liveBytes = (extent: Extent): number => extent.length + 1;
