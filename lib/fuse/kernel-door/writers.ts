/** So many writes must have been answered at once before callers share a nodeid. */
const TRUSTED_AFTER = 32;

/**
 * How the writes to one live file are answered.
 *
 * The kernel locks an inode for a whole direct write, so a write that takes its time needs a nodeid of its
 * own. But each new nodeid voids the name for all who walk over it at that moment, and many writers drive
 * each other in circles. A file whose writes are all answered at once holds nobody up, and is shared; the
 * first that is not ends that for good.
 */
export class Writers {
  #trust = 0;

  get prompt(): boolean {
    return this.#trust >= TRUSTED_AFTER;
  }

  /** Hears how a write, or another change under the inode's lock, was answered. */
  saw(answer: unknown): void {
    if (answer instanceof Promise) this.distrust();
    else if (this.#trust < TRUSTED_AFTER) this.#trust += 1;
  }

  /** From now on no nodeid is shared: somebody waits, or writes change what others have open. */
  distrust(): void {
    this.#trust = -Infinity;
  }
}
