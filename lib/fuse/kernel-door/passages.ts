import type { NodeRef } from './node-table.js';

/** Who asks more often than this for a name on one way to it is driven in circles by others. */
const MAX_ASKED = 6;
/** How long the next caller waits for the one before to come back to what it found. */
const TURN_MS = 5;
/** After this time a caller that did not come back is forgotten: it died, or wanted no more than the name. */
const PASSAGE_MS = 10_000;

/** A caller that looks for a conversation, and what it was given. */
interface Passage {
  readonly pid: number;
  readonly sinceMs: number;
  asked: number;
  ref: NodeRef | undefined;
}

/** Those who look for one conversation. */
interface Crossing {
  /** In the order in which they came. */
  readonly passing: Map<number, Passage>;
  /** What they were given. */
  readonly given: Set<NodeRef>;
  /** Whether they go one after the other. */
  inTurn: boolean;
  readonly waiting: { readonly pid: number; readonly go: () => void }[];
  /** Whose turn it is. */
  turn: Passage | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * How callers find a conversation.
 *
 * Each is to get a nodeid of its own, and each new nodeid voids the name for all who walk over it at that
 * moment: many at once drive each other in circles, asking for the name again and again. Where that is
 * seen, they go in turn: a caller that comes anew waits until the one before has come back to what it
 * found. One that asks again on its way never waits, since others may be waiting for it in the kernel.
 *
 * Callers that open with O_CREAT hold the directory's lock while they ask, so that they drive nobody in
 * circles, and would wait for one that waits for that lock: when nobody comes back in time, all go.
 */
export class Passages {
  readonly #crossings = new Map<bigint, Crossing>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @returns undefined where `pid` may look for `ino` now; else it may once the promise settles. */
  enter(ino: bigint, pid: number): Promise<void> | undefined {
    if (pid === 0) return undefined; // somebody outside of our pid namespace: who it is cannot be told
    const crossing = this.#crossingOf(ino);
    this.#forgetLost(crossing);
    const passage = crossing.passing.get(pid);
    if (passage !== undefined) {
      passage.asked += 1;
      if (passage.asked > MAX_ASKED) crossing.inTurn = true;
      return undefined;
    }
    if (!crossing.inTurn || crossing.turn === undefined) {
      this.#begin(crossing, pid);
      return undefined;
    }
    crossing.timer ??= setTimeout(() => this.#allGo(crossing), TURN_MS);
    return new Promise((go) => crossing.waiting.push({ pid, go }));
  }

  /** What `pid` was given on its way to `ino`. */
  given(ino: bigint, pid: number): NodeRef | undefined {
    return this.#crossings.get(ino)?.passing.get(pid)?.ref;
  }

  give(ino: bigint, pid: number, ref: NodeRef): void {
    const crossing = this.#crossings.get(ino);
    const passage = crossing?.passing.get(pid);
    if (crossing === undefined || passage === undefined) return;
    if (passage.ref !== undefined) crossing.given.delete(passage.ref);
    passage.ref = ref;
    crossing.given.add(ref);
  }

  /** Whether `ref` was given to somebody who may be about to open it. */
  isGiven(ino: bigint, ref: NodeRef): boolean {
    return this.#crossings.get(ino)?.given.has(ref) === true;
  }

  /** `pid` came back to what it found. */
  leave(ino: bigint, pid: number): void {
    const crossing = this.#crossings.get(ino);
    const passage = crossing?.passing.get(pid);
    if (crossing === undefined || passage === undefined) return;
    forget(crossing, passage);
    if (crossing.turn === passage) this.#next(crossing);
    if (crossing.passing.size === 0 && crossing.waiting.length === 0) this.#crossings.delete(ino);
  }

  #crossingOf(ino: bigint): Crossing {
    let crossing = this.#crossings.get(ino);
    if (crossing === undefined) {
      crossing = {
        passing: new Map(),
        given: new Set(),
        inTurn: false,
        waiting: [],
        turn: undefined,
        timer: undefined,
      };
      this.#crossings.set(ino, crossing);
    }
    return crossing;
  }

  #begin(crossing: Crossing, pid: number): void {
    const passage = { pid, sinceMs: this.#nowMs(), asked: 1, ref: undefined };
    crossing.passing.set(pid, passage);
    if (crossing.inTurn) crossing.turn = passage;
  }

  #next(crossing: Crossing): void {
    clearTimeout(crossing.timer);
    crossing.timer = undefined;
    crossing.turn = undefined;
    const next = crossing.waiting.shift();
    if (next === undefined) return;
    this.#begin(crossing, next.pid);
    if (crossing.waiting.length > 0) crossing.timer = setTimeout(() => this.#allGo(crossing), TURN_MS);
    next.go();
  }

  #allGo(crossing: Crossing): void {
    crossing.inTurn = false;
    crossing.turn = undefined;
    crossing.timer = undefined;
    for (const { pid, go } of crossing.waiting.splice(0)) {
      this.#begin(crossing, pid);
      go();
    }
  }

  #forgetLost(crossing: Crossing): void {
    const lostMs = this.#nowMs() - PASSAGE_MS;
    for (const passage of crossing.passing.values()) {
      if (passage.sinceMs > lostMs) return;
      forget(crossing, passage);
      if (crossing.turn === passage) this.#next(crossing);
    }
  }
}

function forget(crossing: Crossing, passage: Passage): void {
  crossing.passing.delete(passage.pid);
  if (passage.ref !== undefined) crossing.given.delete(passage.ref);
}
