import type { NodeRef } from './node-table.js';

/** Who asks more often than this for a name on one way to it is driven in circles by others. */
const MAX_ASKED = 6;
/** So many at least; fewer are through sooner where none waits. */
const CROWD = 24;
/** How long the others wait for the one whose turn it is, where nobody at all asks meanwhile. */
const TURN_MS = 2;
/** After this time a caller that did not come back is forgotten: it died, or wanted no more than the name. */
const PASSAGE_MS = 10_000;

/** A caller that looks for a conversation, and what it was given. */
interface Passage {
  readonly pid: number;
  readonly sinceMs: number;
  asked: number;
  ref: NodeRef | undefined;
}

/** A caller whose question is held back. */
interface Held {
  readonly passage: Passage;
  readonly go: () => void;
}

/** Those who look for one conversation. */
interface Crossing {
  /** In the order in which they came. */
  readonly passing: Map<number, Passage>;
  /** What they were given. */
  readonly given: Set<NodeRef>;
  /** Whether they go one after the other. */
  inTurn: boolean;
  /** Whose turn it is. */
  turn: Passage | undefined;
  /** Who waits for a turn, in the order in which they asked. */
  readonly held: Held[];
  /** Counts questions: while they come in, whoever is waited for may be behind them. */
  asked: number;
  /** How many were let go at once, out of turn, for the sake of the one whose turn it is. */
  letGo: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * How callers find a conversation.
 *
 * Each is to get a nodeid of its own, and each new nodeid voids the name for all who walk over it at that
 * moment: many at once drive each other in circles, asking for the name again and again. Where that is
 * seen of a crowd, it goes in turn: whoever asks is held until the one before has come back to what it found.
 *
 * One that is held may hold what the one whose turn it is waits for in the kernel: the directory's lock
 * (O_CREAT), or the name itself, which only one caller asks for where it is not known. That one has asked
 * last, mostly; so where nobody comes back in time, the last goes on, then two more, four, eight. Once all
 * have gone, nobody waits until somebody is driven in circles again.
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
    let passage = crossing.passing.get(pid);
    if (passage === undefined) {
      passage = { pid, sinceMs: this.#nowMs(), asked: 0, ref: undefined };
      crossing.passing.set(pid, passage);
    }
    passage.asked += 1;
    crossing.asked += 1;
    if (passage.asked > MAX_ASKED && crossing.passing.size >= CROWD) crossing.inTurn = true;
    if (!crossing.inTurn || crossing.turn === passage) return undefined;
    if (crossing.turn === undefined) {
      crossing.turn = passage;
      return undefined;
    }
    return new Promise((go) => {
      crossing.held.push({ passage, go });
      this.#watch(crossing);
    });
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
    if (crossing.passing.size === 0) this.#crossings.delete(ino);
  }

  #crossingOf(ino: bigint): Crossing {
    let crossing = this.#crossings.get(ino);
    if (crossing === undefined) {
      crossing = {
        passing: new Map(),
        given: new Set(),
        inTurn: false,
        turn: undefined,
        held: [],
        asked: 0,
        letGo: 0,
        timer: undefined,
      };
      this.#crossings.set(ino, crossing);
    }
    return crossing;
  }

  #next(crossing: Crossing): void {
    clearTimeout(crossing.timer);
    crossing.timer = undefined;
    crossing.letGo = 0;
    const next = crossing.held.shift();
    crossing.turn = next?.passage;
    this.#watch(crossing);
    next?.go();
  }

  /** Lets the others go on where the one whose turn it is does not come back in time. */
  #watch(crossing: Crossing): void {
    if (crossing.held.length === 0 || crossing.timer !== undefined) return;
    const { asked } = crossing;
    crossing.timer = setTimeout(() => {
      crossing.timer = undefined;
      if (crossing.asked === asked) this.#letGo(crossing);
      this.#watch(crossing);
    }, TURN_MS);
  }

  #letGo(crossing: Crossing): void {
    crossing.letGo = Math.max(1, crossing.letGo * 2);
    const going = crossing.held.splice(-crossing.letGo);
    if (crossing.held.length === 0) {
      crossing.inTurn = false;
      crossing.turn = undefined;
      crossing.letGo = 0;
      for (const passage of crossing.passing.values()) passage.asked = 1;
    }
    for (const { go } of going) go();
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
