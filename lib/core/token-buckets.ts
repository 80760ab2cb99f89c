import type { Clock } from './clock.js';
import { dropOldest } from './drop-oldest.js';

export interface BucketOptions {
  readonly clock: Clock;
  /** What one key may take at once after a quiet time. */
  readonly burst: number;
  /** What comes back to each key. */
  readonly perSecond: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** Keys that are remembered; above it those that have rested longest are full again anyway, or nearly so. */
const MAX_KEYS = 10_000;

/** A budget for each key (an address, a principal) that is used up by acts and comes back with time. */
export class TokenBuckets {
  readonly #options: BucketOptions;
  /** The one that was used last stands last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  /** Takes `cost` where that much is left. */
  take(key: string, cost = 1): boolean {
    const bucket = this.#filled(key);
    if (bucket.left < cost) return false;
    bucket.left -= cost;
    return true;
  }

  /** How long (ms) until `cost` will be left; 0 for at once. */
  waitMs(key: string, cost = 1): number {
    const { left } = this.#filled(key);
    return left >= cost ? 0 : Math.ceil(((cost - left) / this.#options.perSecond) * 1000);
  }

  #filled(key: string): Bucket {
    const { clock, burst, perSecond } = this.#options;
    const now = clock.now();
    const bucket = this.#buckets.get(key) ?? { left: burst, atMs: now };
    bucket.left = Math.min(burst, bucket.left + (Math.max(0, now - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    dropOldest(this.#buckets, MAX_KEYS);
    return bucket;
  }
}
