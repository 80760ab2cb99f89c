import { FsError } from '../../core/index.js';
import { byteLengthOfText } from '../../linux/index.js';
import { MAX_NAME_BYTES } from '../../protocol/index.js';

/** What a peer may list at most; a directory of a filesystem that is larger is not listed through a tunnel. */
export interface ListingLimits {
  readonly entries: number;
  /** Of one listing: its names, and what an entry takes beside its name. */
  readonly bytes: number;
  /** Of all listings of one peer that are under way. */
  readonly allBytes: number;
  readonly ms: number;
}

export const LISTING_LIMITS: ListingLimits = {
  entries: 1_000_000,
  bytes: 64 * 1024 * 1024,
  allBytes: 128 * 1024 * 1024,
  ms: 60_000,
};

const ENTRY_BYTES = 64;
/** Of so many entries, their nodes are learned with them; of more, when somebody asks for them. */
export const LEARNED_ENTRIES = 50_000;
/** Longer listings are asked for anew each time. */
export const KEPT_ENTRIES = 50_000;

/** Counts what the listings take that a peer is sending. */
export class ListingBudget {
  readonly limits: ListingLimits;
  #bytes = 0;

  constructor(limits: ListingLimits = LISTING_LIMITS) {
    this.limits = limits;
  }

  begin(): ListingCount {
    return new ListingCount(this.limits, (bytes) => (this.#bytes += bytes));
  }
}

/** What one listing has taken so far. */
export class ListingCount {
  readonly #limits: ListingLimits;
  readonly #account: (bytes: number) => number;
  readonly #sinceMs = performance.now();
  #entries = 0;
  #bytes = 0;

  constructor(limits: ListingLimits, account: (bytes: number) => number) {
    this.#limits = limits;
    this.#account = account;
  }

  get entries(): number {
    return this.#entries;
  }

  /** A page came. @throws FsError EOVERFLOW where it is too much, EIO for what is no name, ETIMEDOUT where it takes too long, EBUSY */
  add(entries: readonly { readonly name: string }[]): void {
    let bytes = entries.length * ENTRY_BYTES;
    for (const { name } of entries) {
      if (!isName(name))
        throw new FsError('EIO', 'The far side lists an entry under a name that no file can have.');
      bytes += name.length;
    }
    this.#entries += entries.length;
    this.#bytes += bytes;
    const { entries: most, bytes: mostBytes, allBytes, ms } = this.#limits;
    const all = this.#account(bytes);
    if (this.#entries > most || this.#bytes > mostBytes)
      throw new FsError(
        'EOVERFLOW',
        `The directory has more than ${most} entries, or ${mostBytes} bytes of them.`,
      );
    if (all > allBytes)
      throw new FsError('EBUSY', 'Too much is being listed at the far side at once.', {
        hint: 'Wait for other listings to end.',
      });
    if (performance.now() - this.#sinceMs > ms)
      throw new FsError('ETIMEDOUT', `The far side lists the directory for more than ${ms / 1000} s.`);
  }

  end(): void {
    this.#account(-this.#bytes);
    this.#bytes = 0;
  }
}

function isName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) return false;
  return name.length * 3 <= MAX_NAME_BYTES || byteLengthOfText(name) <= MAX_NAME_BYTES;
}
