import { availableParallelism } from 'node:os';

/** The longest that is looked for the next request before sleeping. */
const MAX_MS = 0.1;
/** Where the window starts, and below which it closes. */
const MIN_MS = 0.01;

/**
 * How long it pays to look for the next request before going to sleep. Falling asleep and being woken costs
 * more than most answers do, so a caller who comes back at once is waited for; the window opens while
 * that pays and closes when it does not, as the kernel's halt polling does for idle processors.
 */
export class Patience {
  readonly #maxMs: number;
  #windowMs = 0;
  #asleepSince = -Infinity;

  /** With one processor nobody can come while it is used for looking. */
  constructor(maxMs: number = availableParallelism() > 1 ? MAX_MS : 0) {
    this.#maxMs = maxMs;
  }

  get windowMs(): number {
    return this.#windowMs;
  }

  /** Nobody came within the window. */
  sleeps(nowMs: number): void {
    this.#asleepSince = nowMs;
  }

  /** A request woke us: soon, and looking a little longer would have spared that; or late, and it was in vain. */
  wakes(nowMs: number): void {
    const soon = nowMs - this.#asleepSince <= this.#maxMs;
    const window = soon ? Math.max(MIN_MS, this.#windowMs * 2) : this.#windowMs / 2;
    this.#windowMs = window < MIN_MS ? 0 : Math.min(this.#maxMs, window);
  }
}
