/** How long (ms) one party is served before the others have their turn. */
const SLICE_MS = 2;
/** How long all are served before the event loop takes in what came meanwhile. */
const TURN_MS = 10;
/** How long those who are in wait for those who come, before they have another turn. */
const DOOR_MS = 10;

interface Line {
  usedMs: number;
  /** They do not wait for those who come. */
  readonly greets: boolean;
  readonly waiting: (() => void)[];
}

/**
 * Serves many parties on one thread, fairly: each that has work gets a slice of every turn, and between
 * turns the event loop takes in what came meanwhile. A party that is alone is served without waiting, so nothing is
 * lost where nobody competes. A party answers for its connections: a token, a node, an address.
 *
 * The event loop takes one new connection each time round: while they come, half of the time is theirs, however much
 * work those have who are in already. Else thousands that come at once would give up before they are greeted.
 */
export class FairTurns {
  readonly #lines = new Map<string, Line>();
  #isArmed = false;
  /** Of all, since the event loop was seen last. */
  #servedMs = 0;
  /** A connection came since the event loop was seen last. */
  #hasArrival = false;
  /** Since when those who are in wait; undefined while they are served. */
  #heldSinceMs: number | undefined;

  /**
   * Runs `work` now where the party has some of its slice left and none of its work waits; else in its turn. A
   * party that `greets` is one of those who come.
   */
  take(party: string, work: () => void, greets = false): void {
    let line = this.#lines.get(party);
    if (line === undefined) this.#lines.set(party, (line = { usedMs: 0, greets, waiting: [] }));
    this.#arm();
    const mayRun = this.#servedMs < TURN_MS && (line.greets || !this.#isHeld);
    if (mayRun && line.waiting.length === 0 && line.usedMs < SLICE_MS) this.#run(line, work);
    else line.waiting.push(work);
  }

  /** A connection came: there may be more of them. */
  arrived(): void {
    this.#hasArrival = true;
    this.#heldSinceMs ??= performance.now();
    this.#arm();
  }

  get #isHeld(): boolean {
    return (
      this.#hasArrival && this.#heldSinceMs !== undefined && performance.now() - this.#heldSinceMs < DOOR_MS
    );
  }

  #run(line: Line, work: () => void): void {
    const startedMs = performance.now();
    try {
      work();
    } finally {
      const tookMs = performance.now() - startedMs;
      line.usedMs += tookMs;
      this.#servedMs += tookMs;
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
    const isHeld = this.#isHeld;
    this.#hasArrival = false;
    this.#servedMs = 0;
    if (!isHeld) this.#heldSinceMs = undefined;
    for (const [party, line] of [...this.#lines]) {
      line.usedMs = 0;
      if (line.waiting.length === 0) {
        this.#lines.delete(party);
        continue;
      }
      this.#arm();
      if ((isHeld && !line.greets) || this.#servedMs >= TURN_MS) continue;
      // Who was served stands behind the others, who may have to wait for the next turn.
      this.#lines.delete(party);
      this.#lines.set(party, line);
      this.#serve(line);
    }
  }

  #serve(line: Line): void {
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
