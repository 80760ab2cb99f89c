import type { NodeRef } from './node-table.js';

/** How long the next caller waits for the one before to come back to what it found. */
const TURN_MS = 2;
/** After this time a caller that did not come back is forgotten: it asked for attributes alone, or died. */
const PASSAGE_MS = 100;

/** A caller that looks for a conversation, and what it was given. */
interface Passage {
  readonly pid: number;
  readonly sinceMs: number;
  ref: NodeRef | undefined;
}

/** Those who look for one conversation. */
interface Crossing {
  /** In the order in which they came. */
  readonly passing: Map<number, Passage>;
  readonly waiting: { readonly pid: number; readonly go: () => void }[];
  /** Whose turn it is. */
  turn: Passage | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Lets callers find a conversation one after the other.
 *
 * Each is to get a nodeid of its own, and each new nodeid voids the name for all who walk over it at that
 * moment: many at once would drive each other in circles, asking for the name again and again. So a
 * caller that comes anew waits until the one before has come back to what it found, or does not come. One
 * that asks again on its way, as the kernel does where a name turned out void, never waits: others may be
 * waiting for it in the kernel.
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
    const nowMs = this.#nowMs();
    let crossing = this.#crossings.get(ino);
    if (crossing === undefined) {
      crossing = { passing: new Map(), waiting: [], turn: undefined, timer: undefined };
      this.#crossings.set(ino, crossing);
    }
    this.#forgetLost(crossing, nowMs);
    if (crossing.passing.has(pid)) return undefined;
    if (crossing.waiting.length === 0 && !isHeld(crossing.turn, nowMs)) {
      this.#begin(crossing, pid, nowMs);
      return undefined;
    }
    const held = crossing;
    held.timer ??= setTimeout(() => this.#next(ino, held), TURN_MS);
    return new Promise((go) => held.waiting.push({ pid, go }));
  }

  /** What `pid` was given on its way to `ino`. */
  given(ino: bigint, pid: number): NodeRef | undefined {
    return this.#crossings.get(ino)?.passing.get(pid)?.ref;
  }

  give(ino: bigint, pid: number, ref: NodeRef): void {
    const passage = this.#crossings.get(ino)?.passing.get(pid);
    if (passage !== undefined) passage.ref = ref;
  }

  /** Whether `ref` was given to somebody who may be about to open it. */
  isGiven(ino: bigint, ref: NodeRef): boolean {
    for (const passage of this.#crossings.get(ino)?.passing.values() ?? [])
      if (passage.ref === ref) return true;
    return false;
  }

  /** `pid` came back to what it found. */
  leave(ino: bigint, pid: number): void {
    const crossing = this.#crossings.get(ino);
    const passage = crossing?.passing.get(pid);
    if (crossing === undefined || passage === undefined) return;
    crossing.passing.delete(pid);
    if (crossing.turn === passage) this.#next(ino, crossing);
  }

  #begin(crossing: Crossing, pid: number, nowMs: number): void {
    crossing.turn = { pid, sinceMs: nowMs, ref: undefined };
    crossing.passing.set(pid, crossing.turn);
  }

  #next(ino: bigint, crossing: Crossing): void {
    clearTimeout(crossing.timer);
    crossing.timer = undefined;
    crossing.turn = undefined;
    const next = crossing.waiting.shift();
    if (next !== undefined) {
      this.#begin(crossing, next.pid, this.#nowMs());
      if (crossing.waiting.length > 0) crossing.timer = setTimeout(() => this.#next(ino, crossing), TURN_MS);
      next.go();
    } else if (crossing.passing.size === 0) this.#crossings.delete(ino);
  }

  #forgetLost(crossing: Crossing, nowMs: number): void {
    for (const passage of crossing.passing.values()) {
      if (nowMs - passage.sinceMs < PASSAGE_MS) return;
      crossing.passing.delete(passage.pid);
    }
  }
}

function isHeld(turn: Passage | undefined, nowMs: number): boolean {
  return turn !== undefined && nowMs - turn.sinceMs < TURN_MS;
}
