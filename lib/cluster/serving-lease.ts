/** A term ends so much earlier here than there: clocks do not run equally fast. */
const MARGIN = 0.95;

interface Instant {
  readonly steadyMs: number;
  readonly wallMs: number;
}

/**
 * How long this replica may serve: from before a renewal was sent, so that the engine counts no shorter; by the clock that does not
 * step, and by the one that goes on while the machine sleeps.
 */
export class ServingLease {
  readonly #lengthMs: number;
  #since: Instant | undefined;
  /** What is to be applied first. */
  #from = 0;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs * MARGIN;
  }

  /** A renewal is about to be sent. */
  begin(): Instant {
    return { steadyMs: performance.now(), wallMs: Date.now() };
  }

  /** The renewal is on disk at the engine, where the log stood at `head` then. */
  renewed(begun: Instant, head: number): void {
    // Whoever was out may have missed changes that were not held back for it.
    if (!this.#runs()) this.#from = head;
    this.#since = begun;
  }

  isHeld(appliedSeq: number): boolean {
    return appliedSeq >= this.#from && this.#runs();
  }

  /** What is left of it; 0 where it has run out. */
  get leftMs(): number {
    if (this.#since === undefined) return 0;
    const { steadyMs, wallMs } = this.#since;
    const passed = Math.max(performance.now() - steadyMs, Date.now() - wallMs);
    return Math.max(0, this.#lengthMs - passed);
  }

  drop(): void {
    this.#since = undefined;
  }

  #runs(): boolean {
    return this.leftMs > 0;
  }
}
