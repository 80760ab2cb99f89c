import { ProtocolFault } from '../../protocol/index.js';
import type { Watch } from './watch.js';

/** Watches of one connection, and of all connections with one token. */
export const MAX_WATCHES = 64;
export const MAX_WATCHES_OF_A_TOKEN = 1024;

/** How many watches each token has, over all of its connections. */
export type WatchCounts = Map<string, number>;

/** The watches of one connection. */
export class Watches {
  readonly #byId = new Map<string, { watch: Watch; tokenId: string }>();
  readonly #counts: WatchCounts;

  constructor(counts: WatchCounts) {
    this.#counts = counts;
  }

  get size(): number {
    return this.#byId.size;
  }

  get all(): readonly Watch[] {
    return [...this.#byId.values()].map(({ watch }) => watch);
  }

  /** @throws ProtocolFault unless the token may have one more, of this name. */
  admit(tokenId: string, watchId: string): void {
    if (this.#byId.has(watchId))
      throw new ProtocolFault('conflict', `This connection has a watch "${watchId}" already.`);
    if (this.#byId.size >= MAX_WATCHES)
      throw new ProtocolFault('session_busy', `A connection may have ${MAX_WATCHES} watches.`);
    if ((this.#counts.get(tokenId) ?? 0) >= MAX_WATCHES_OF_A_TOKEN)
      throw new ProtocolFault(
        'session_busy',
        `All connections with one token may have ${MAX_WATCHES_OF_A_TOKEN} watches together.`,
      );
  }

  add(tokenId: string, watch: Watch): void {
    this.#byId.set(watch.id, { watch, tokenId });
    this.#counts.set(tokenId, (this.#counts.get(tokenId) ?? 0) + 1);
  }

  /** Ends it, if it is there. */
  end(watchId: string): void {
    const held = this.#byId.get(watchId);
    if (held === undefined) return;
    this.#byId.delete(watchId);
    held.watch.end();
    const left = (this.#counts.get(held.tokenId) ?? 0) - 1;
    if (left <= 0) this.#counts.delete(held.tokenId);
    else this.#counts.set(held.tokenId, left);
  }

  endAll(): void {
    for (const watchId of [...this.#byId.keys()]) this.end(watchId);
  }
}
