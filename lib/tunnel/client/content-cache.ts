import type { Stat } from '../../vfs/index.js';

/** A document as it was when it was read whole. */
export interface CachedContent {
  readonly bytes: Uint8Array;
  readonly stat: Stat;
  readonly direct: boolean;
  readonly cacheVersion: number;
}

/** Keeps the content of small documents, up to a limit in all; what was used longest ago goes first. */
export class ContentCache {
  readonly #maxBytes: number;
  readonly #contents = new Map<object, CachedContent>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(owner: object): CachedContent | undefined {
    const content = this.#contents.get(owner);
    if (content === undefined) return undefined;
    this.#contents.delete(owner);
    this.#contents.set(owner, content);
    return content;
  }

  set(owner: object, content: CachedContent): void {
    this.delete(owner);
    this.#contents.set(owner, content);
    this.#bytes += content.bytes.byteLength;
    for (const oldest of this.#contents.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(owner: object): void {
    this.#bytes -= this.#contents.get(owner)?.bytes.byteLength ?? 0;
    this.#contents.delete(owner);
  }

  clear(): void {
    this.#contents.clear();
    this.#bytes = 0;
  }
}
