import { Errno, type Lock } from '../kernel/index.js';

/** A lock with whose it is, and the descriptor that it was taken by. */
export interface OwnedLock extends Lock {
  readonly owner: bigint;
  readonly fh: number;
}

/** How many locks one file may have: each request about it looks at them all. */
export const MAX_LOCKS = 1024;

const ENOLCK = Errno.of(37);

/** The locks that are held on one file. */
export class LockRanges {
  #held: OwnedLock[] = [];

  get size(): number {
    return this.#held.length;
  }

  /** The locks of others that are in the way of `wanted`. */
  *inTheWayOf(wanted: OwnedLock): Generator<OwnedLock> {
    for (const held of this.#held) {
      if (held.owner === wanted.owner || !overlap(held, wanted)) continue;
      if (held.kind === 'exclusive' || wanted.kind === 'exclusive') yield held;
    }
  }

  firstInTheWayOf(wanted: OwnedLock): OwnedLock | undefined {
    for (const held of this.inTheWayOf(wanted)) return held;
    return undefined;
  }

  /** Whether the owner of `wanted` has a lock of another kind there. */
  hasOther(wanted: OwnedLock): boolean {
    return this.#held.some(
      (held) => held.owner === wanted.owner && held.kind !== wanted.kind && overlap(held, wanted),
    );
  }

  /** Puts `lock` in the place of what its owner held there. @throws Errno ENOLCK where there are too many. */
  put(lock: OwnedLock): void {
    const rest: OwnedLock[] = [];
    let { start, end } = lock;
    for (const held of this.#without(lock)) {
      const joins = isSame(held, lock) && held.start <= end + 1n && held.end >= start - 1n;
      if (!joins) rest.push(held);
      else if (held.start < start) start = held.start;
      else if (held.end > end) end = held.end;
    }
    rest.push({ ...lock, start, end });
    this.#become(rest);
  }

  /** Takes `start` to `end` from what `owner` holds. @throws Errno ENOLCK where there would be too many. */
  take(range: Pick<OwnedLock, 'owner' | 'start' | 'end'>): void {
    this.#become(this.#without(range));
  }

  /** Drops those that `goes`. */
  drop(goes: (lock: OwnedLock) => boolean): void {
    this.#held = this.#held.filter((held) => !goes(held));
  }

  #without({ owner, start, end }: Pick<OwnedLock, 'owner' | 'start' | 'end'>): OwnedLock[] {
    const rest: OwnedLock[] = [];
    for (const held of this.#held) {
      if (held.owner !== owner || held.end < start || held.start > end) {
        rest.push(held);
        continue;
      }
      if (held.start < start) rest.push({ ...held, end: start - 1n });
      if (held.end > end) rest.push({ ...held, start: end + 1n });
    }
    return rest;
  }

  #become(held: OwnedLock[]): void {
    if (held.length > MAX_LOCKS && held.length > this.#held.length) throw ENOLCK;
    this.#held = held;
  }
}

function overlap(a: Lock, b: Lock): boolean {
  return a.start <= b.end && b.start <= a.end;
}

function isSame(a: OwnedLock, b: OwnedLock): boolean {
  return a.owner === b.owner && a.kind === b.kind && a.fh === b.fh;
}
