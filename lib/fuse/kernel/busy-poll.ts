import { availableParallelism } from 'node:os';

/** The longest that is looked for the next request before sleeping. */
const MAX_MS = 0.1;
/** Where the window starts, and below which it closes. */
const MIN_MS = 0.01;

/** A thread that is off for so long between two looks has shared the processor. */
const SHARED_MS = 0.05;

/**
 * How long it pays to look for the next request before going to sleep. Falling asleep and being woken costs
 * more than most answers do, so a caller who comes back at once is waited for; the window opens while
 * that pays and closes when it does not, as the kernel's halt polling does for idle processors. Where
 * others want the processor, it is theirs.
 */
export class BusyPoll {
  readonly #maxMs: number;
  #windowMs = 0;
  #answeredMs = -Infinity;
  #lookedMs = -Infinity;

  /** With one processor nobody can come while it is used for looking. */
  constructor(maxMs: number = availableParallelism() > 1 ? MAX_MS : 0) {
    this.#maxMs = maxMs;
  }

  get windowMs(): number {
    return this.#windowMs;
  }

  /** A request was answered. */
  answered(nowMs: number): void {
    this.#answeredMs = this.#lookedMs = nowMs;
  }

  /** Whether to look again, after a look in vain. */
  goesOn(nowMs: number): boolean {
    const shared = nowMs - this.#lookedMs > SHARED_MS;
    this.#lookedMs = nowMs;
    if (shared) this.#windowMs = 0;
    return nowMs - this.#answeredMs < this.#windowMs;
  }

  /** A request woke us: within the widest window, and looking would have spared that; or later. */
  wakes(nowMs: number): void {
    const soon = nowMs - this.#answeredMs <= this.#maxMs;
    const window = soon ? Math.max(MIN_MS, this.#windowMs * 2) : this.#windowMs / 2;
    this.#windowMs = window < MIN_MS ? 0 : Math.min(this.#maxMs, window);
  }
}
