import { FsError } from '../../core/index.js';
import type { Op, Vfs } from '../../vfs/index.js';

export type LockKind = 'shared' | 'exclusive';

interface Locked {
  readonly holders: Map<object, LockKind>;
  /** In the order in which they came. */
  readonly waiting: Set<Waiting>;
}

interface Waiting {
  readonly owner: object;
  readonly kind: LockKind;
  readonly grant: () => void;
  readonly giveUp: () => void;
}

const OF_TREES = new WeakMap<Vfs, FileLocks>();

/**
 * Advisory locks on the files of a tree, as flock(2): of whole files, held by open descriptors, known to all who use the tree
 * through us and to nobody else. They keep no one from reading or writing.
 */
export class FileLocks {
  readonly #files = new Map<bigint, Locked>();

  /** All connections to one tree share these. */
  static of(vfs: Vfs): FileLocks {
    const known = OF_TREES.get(vfs) ?? new FileLocks();
    OF_TREES.set(vfs, known);
    return known;
  }

  /**
   * The descriptor holds the lock from then on, in place of the one that it held.
   * @throws FsError EAGAIN where another stands in the way and `wait` is false; the reason of `op.signal`
   */
  async lock(ino: bigint, owner: object, kind: LockKind, wait: boolean, op: Op): Promise<void> {
    const file = this.#files.get(ino) ?? { holders: new Map(), waiting: new Set<Waiting>() };
    if (isFree(file, owner, kind) && file.waiting.size === 0) {
      file.holders.set(owner, kind);
      this.#files.set(ino, file);
      this.#admit(ino, file);
      return;
    }
    if (!wait)
      throw new FsError('EAGAIN', 'Another has locked the file.', {
        hint: 'Try again, or wait for the lock.',
      });
    // flock(2) gives up the old lock before it waits for the new one.
    file.holders.delete(owner);
    this.#files.set(ino, file);
    await this.#wait(ino, file, { owner, kind }, op);
  }

  /** The descriptor holds no lock from then on, and waits for none. */
  unlock(ino: bigint, owner: object): void {
    const file = this.#files.get(ino);
    if (file === undefined) return;
    for (const waiting of [...file.waiting]) if (waiting.owner === owner) waiting.giveUp();
    file.holders.delete(owner);
    this.#admit(ino, file);
  }

  #wait(ino: bigint, file: Locked, asked: Pick<Waiting, 'owner' | 'kind'>, { signal }: Op): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        file.waiting.delete(waiting);
        signal.removeEventListener('abort', giveUp);
      };
      const giveUp = (): void => {
        end();
        this.#admit(ino, file);
        reject(
          signal.aborted
            ? FsError.from(signal.reason)
            : new FsError('ECANCELED', 'The descriptor was closed, or unlocked.'),
        );
      };
      const grant = (): void => {
        end();
        resolve();
      };
      const waiting: Waiting = { ...asked, grant, giveUp };
      file.waiting.add(waiting);
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
      this.#admit(ino, file);
    });
  }

  /** Those that wait get their locks in their order, as far as they can be held together. */
  #admit(ino: bigint, file: Locked): void {
    for (const { owner, kind, grant } of [...file.waiting]) {
      if (!isFree(file, owner, kind)) break;
      file.holders.set(owner, kind);
      grant();
    }
    if (file.holders.size === 0 && file.waiting.size === 0) this.#files.delete(ino);
  }
}

function isFree({ holders }: Locked, owner: object, kind: LockKind): boolean {
  for (const [other, held] of holders)
    if (other !== owner && (kind === 'exclusive' || held === 'exclusive')) return false;
  return true;
}
