/** How long (ms) one party is served before the others have their turn. */
const SLICE_MS = 2;

interface Line {
  usedMs: number;
  readonly waiting: (() => void)[];
}

/**
 * Serves many parties on one thread, fairly: each that has work gets a slice of every turn, and between
 * turns the event loop takes in what came meanwhile. A party that is alone is served without waiting, so nothing is
 * lost where nobody competes. A party answers for its connections: a token, a node, an address.
 */
export class FairTurns {
  readonly #lines = new Map<string, Line>();
  #isArmed = false;

  /** Runs `work` now where the party has some of its slice left and none of its work waits; else in its turn. */
  take(party: string, work: () => void): void {
    let line = this.#lines.get(party);
    if (line === undefined) this.#lines.set(party, (line = { usedMs: 0, waiting: [] }));
    this.#arm();
    if (line.waiting.length === 0 && line.usedMs < SLICE_MS) this.#run(line, work);
    else line.waiting.push(work);
  }

  #run(line: Line, work: () => void): void {
    const startedMs = performance.now();
    try {
      work();
    } finally {
      line.usedMs += performance.now() - startedMs;
    }
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(() => {
      this.#isArmed = false;
      this.#turn();
    });
  }

  #turn(): void {
    for (const [party, line] of [...this.#lines]) {
      line.usedMs = 0;
      if (line.waiting.length === 0) {
        this.#lines.delete(party);
        continue;
      }
      this.#arm();
      let served = 0;
      try {
        for (const act of line.waiting) {
          if (line.usedMs >= SLICE_MS) break;
          served++;
          this.#run(line, act);
        }
      } finally {
        line.waiting.splice(0, served);
      }
    }
  }
}
