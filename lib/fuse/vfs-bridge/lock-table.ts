import { Errno } from '../kernel/index.js';
import { LockRanges, type OwnedLock } from './lock-ranges.js';

const EDEADLK = Errno.of(35);
/** So many waits are followed in search of a ring; a ring beyond it waits until somebody gives up. */
const MAX_FOLLOWED = 256;

interface Waiter {
  readonly ino: bigint;
  readonly lock: OwnedLock;
  readonly go: () => void;
  readonly refuse: (reason: unknown) => void;
}

interface LockedFile {
  readonly held: LockRanges;
  /** First come, first served, where they are in each other's way. */
  waiting: Waiter[];
}

/**
 * The locks of one kind, by the inode number of the file that they mean: the kernel's own hang on a nodeid, of
 * which a file may have many. A lock counts against those of other owners, and is gone with its owner's close
 * or its descriptor's release, whichever comes first.
 */
export class LockTable {
  readonly #files = new Map<bigint, LockedFile>();
  /** What each owner waits for. */
  readonly #waits = new Map<bigint, Set<Waiter>>();

  /** Files that have a lock, or somebody who waits for one. */
  get size(): number {
    return this.#files.size;
  }

  /** Somebody else's lock that is in the way of `wanted`. */
  inTheWay(ino: bigint, wanted: OwnedLock): OwnedLock | undefined {
    return this.#files.get(ino)?.held.firstInTheWayOf(wanted);
  }

  /** Whether its owner holds another kind of lock where `wanted` is. */
  holdsOther(ino: bigint, wanted: OwnedLock): boolean {
    return this.#files.get(ino)?.held.hasOther(wanted) === true;
  }

  /** @returns whether `lock` was free to take. @throws Errno ENOLCK where the file has too many. */
  tryLock(ino: bigint, lock: OwnedLock): boolean {
    const file = this.#fileOf(ino);
    if (file.held.firstInTheWayOf(lock) !== undefined) return false;
    this.#changing(ino, file, () => file.held.put(lock)); // may be less than what its owner had
    return true;
  }

  /**
   * Answers when `lock` is taken; rejects with the reason of `signal`, and leaves nothing behind.
   * @throws Errno EDEADLK where who is in the way waits for `lock`'s owner.
   */
  async lock(ino: bigint, lock: OwnedLock, signal: AbortSignal): Promise<void> {
    if (this.tryLock(ino, lock)) return;
    if (this.#waitsForItself(ino, lock)) throw EDEADLK;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => this.#leave(waiter, () => reject(signal.reason as Error));
      const done = (end: () => void): void => {
        signal.removeEventListener('abort', giveUp);
        end();
      };
      const waiter: Waiter = {
        ino,
        lock,
        go: () => done(resolve),
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an Errno is an answer too
        refuse: (reason) => done(() => reject(reason)),
      };
      signal.addEventListener('abort', giveUp);
      this.#fileOf(ino).waiting.push(waiter);
      const waits = this.#waits.get(lock.owner);
      if (waits === undefined) this.#waits.set(lock.owner, new Set([waiter]));
      else waits.add(waiter);
    });
  }

  /** @throws Errno ENOLCK where what is left would be too many. */
  unlock(ino: bigint, range: Pick<OwnedLock, 'owner' | 'start' | 'end'>): void {
    this.#change(ino, (held) => held.take(range));
  }

  /** `owner` closed a descriptor of the file: whatever it held there is free. */
  closed(ino: bigint, owner: bigint): void {
    this.#change(ino, (held) => held.drop((lock) => lock.owner === owner));
  }

  /** The descriptor `fh` of the file is nobody's any more: whatever was taken by it is free. */
  released(ino: bigint, fh: number): void {
    this.#change(ino, (held) => held.drop((lock) => lock.fh === fh));
  }

  #fileOf(ino: bigint): LockedFile {
    let file = this.#files.get(ino);
    if (file === undefined) {
      file = { held: new LockRanges(), waiting: [] };
      this.#files.set(ino, file);
    }
    return file;
  }

  #change(ino: bigint, change: (held: LockRanges) => void): void {
    const file = this.#files.get(ino);
    if (file !== undefined) this.#changing(ino, file, () => change(file.held));
  }

  /** Serves those who waited for the change, and keeps no record of a file without locks. */
  #changing(ino: bigint, file: LockedFile, change: () => void): void {
    try {
      change();
    } finally {
      while (this.#serveWaiting(file));
      if (file.held.size === 0 && file.waiting.length === 0) this.#files.delete(ino);
    }
  }

  /** @returns whether somebody was served, which may have made room for somebody before. */
  #serveWaiting(file: LockedFile): boolean {
    const waiting = file.waiting.length;
    file.waiting = file.waiting.filter((waiter) => {
      if (file.held.firstInTheWayOf(waiter.lock) !== undefined) return true;
      this.#forget(waiter);
      try {
        file.held.put(waiter.lock);
        waiter.go();
      } catch (thrown) {
        waiter.refuse(thrown);
      }
      return false;
    });
    return file.waiting.length > 0 && file.waiting.length < waiting;
  }

  #leave(waiter: Waiter, left: () => void): void {
    const file = this.#files.get(waiter.ino);
    this.#forget(waiter);
    if (file !== undefined)
      this.#changing(
        waiter.ino,
        file,
        () => (file.waiting = file.waiting.filter((other) => other !== waiter)),
      );
    left();
  }

  #forget(waiter: Waiter): void {
    const { owner } = waiter.lock;
    const waits = this.#waits.get(owner);
    waits?.delete(waiter);
    if (waits?.size === 0) this.#waits.delete(owner);
  }

  /** Whether one of those in the way, or of those whom they wait for, waits for the owner of `lock`. */
  #waitsForItself(ino: bigint, lock: OwnedLock): boolean {
    const followed = new Set<bigint>();
    const next: { ino: bigint; lock: OwnedLock }[] = [{ ino, lock }];
    for (let left = MAX_FOLLOWED; left > 0; left--) {
      const wait = next.pop();
      if (wait === undefined) return false;
      for (const { owner } of this.#files.get(wait.ino)?.held.inTheWayOf(wait.lock) ?? []) {
        if (owner === lock.owner) return true;
        if (followed.has(owner)) continue;
        followed.add(owner);
        next.push(...(this.#waits.get(owner) ?? []));
      }
    }
    return false;
  }
}
