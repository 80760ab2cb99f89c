import { FsError } from '../../core/index.js';
import type { NodeRef } from './node-table.js';

/**
 * So many are under way to one conversation at a time, each to a node of its own. They stand in line for the
 * directory's lock, and who lists it stands behind them.
 */
const MAX_UNDER_WAY = 3;
/** Who does not come back in this time died, wanted no more than the name, or is slow. */
const TURN_MS = 100;
/** For this time others wait for one that is slow: in its place they would only make the line longer. */
const SLOW_TURN_MS = 2000;
/** For this time what somebody was sent back for is kept for it. */
const KEPT_MS = 10_000;
/** Glances of callers that never asked on; more than these are forgotten. */
const MAX_GLANCES = 1024;
/** For this time who listed or asked for attributes is taken for one that looks, and does not call. */
const LOOKS_MS = 1000;
/** More of them are forgotten. */
const MAX_LOOKERS = 1024;

/** A caller on its way to a node of its own, and what it was given. */
interface Passage {
  readonly pid: number;
  readonly sinceMs: number;
  /** It was told at open to walk its path again, which it does once. */
  readonly sentBack: boolean;
  ref: NodeRef | undefined;
}

/** A caller whose open is held back. */
interface Held {
  readonly pid: number;
  readonly go: () => void;
}

/** Those who look for one conversation. */
interface Crossing {
  /** Each by its pid, in the order in which they set out. */
  readonly underWay: Map<number, Passage>;
  /** Those of whom nothing was heard for a turn, though they were sent back. */
  readonly late: Map<number, Passage>;
  /** What they were given. */
  readonly given: Set<NodeRef>;
  /** What was opened last, and so what the name leads to, mostly. */
  shown: NodeRef | undefined;
  /** In the order in which they came. */
  readonly held: Set<Held>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * How callers find a conversation.
 *
 * Each is to get a nodeid of its own, and each new nodeid voids the name for all who walk over it at that
 * moment: they look again under the directory's lock, one after the other. So only a few at a time are given
 * one by a lookup. All others are shown what the name leads to already, so that attributes and listings wait
 * for nobody; who opens that is held there, where it holds no lock, until it is its turn to be sent back
 * for a node of its own.
 */
export class Passages {
  readonly #crossings = new Map<bigint, Crossing>();
  readonly #glances = new Map<number, NodeRef>();
  /** Each pid with the time of its last look. */
  readonly #lookers = new Map<number, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @returns whether what `pid` finds now at `ino` is to be its own. */
  enter(ino: bigint, pid: number): boolean {
    const crossing = this.#crossingOf(ino);
    this.#tidy(crossing);
    if (crossing.underWay.has(pid) || crossing.late.has(pid)) return true;
    if (this.#nowMs() - (this.#lookers.get(pid) ?? -Infinity) < LOOKS_MS) return false;
    if (crossing.underWay.size >= MAX_UNDER_WAY || crossing.held.size > 0) return false;
    this.#setOut(crossing, pid, false);
    return true;
  }

  /** What `pid` was given on its way to `ino`. */
  given(ino: bigint, pid: number): NodeRef | undefined {
    const crossing = this.#crossings.get(ino);
    return (crossing?.underWay.get(pid) ?? crossing?.late.get(pid))?.ref;
  }

  give(ino: bigint, pid: number, ref: NodeRef): void {
    const crossing = this.#crossings.get(ino);
    const passage = crossing?.underWay.get(pid) ?? crossing?.late.get(pid);
    if (crossing === undefined || passage === undefined) return;
    if (passage.ref !== undefined) crossing.given.delete(passage.ref);
    passage.ref = ref;
    crossing.given.add(ref);
  }

  /** Whether `ref` was given to somebody who may be about to open it. */
  isGiven(ino: bigint, ref: NodeRef): boolean {
    return this.#crossings.get(ino)?.given.has(ref) === true;
  }

  /** What the name of `ino` leads to while others are on their way. */
  shown(ino: bigint): NodeRef | undefined {
    return this.#crossings.get(ino)?.shown;
  }

  /** `pid` lists, or asks for attributes: a node of its own would void the name for those who call. */
  look(pid: number): void {
    if (this.#lookers.size >= MAX_LOOKERS) this.#lookers.clear();
    this.#lookers.set(pid, this.#nowMs());
  }

  /** `pid` is shown a node that is not its own. */
  glance(pid: number, ref: NodeRef): void {
    if (this.#glances.size >= MAX_GLANCES) this.#glances.clear();
    this.#glances.set(pid, ref);
  }

  /** Whether what `pid` asks of `ref` now is about the name, not about what somebody has open there. */
  endGlance(pid: number, ref: NodeRef): boolean {
    if (this.#glances.get(pid) !== ref) return false;
    return this.#glances.delete(pid);
  }

  /** `pid` came back to what it found. @returns whether it had been sent back for it. */
  leave(ino: bigint, pid: number): boolean {
    const crossing = this.#crossings.get(ino);
    const passage = crossing?.underWay.get(pid) ?? crossing?.late.get(pid);
    if (crossing === undefined || passage === undefined) return false;
    if (passage.ref !== undefined) crossing.shown = passage.ref;
    forget(crossing, passage);
    this.#letGo(crossing);
    if (crossing.underWay.size + crossing.late.size + crossing.held.size === 0) this.#crossings.delete(ino);
    return passage.sentBack;
  }

  /**
   * Before `pid`, which opens what is not its own, is sent back.
   * @returns undefined where it may be now; else it may once the promise settles.
   * @throws FsError where it gives up before.
   */
  waitTurn(ino: bigint, pid: number, signal: AbortSignal): Promise<void> | undefined {
    this.#lookers.delete(pid);
    const crossing = this.#crossingOf(ino);
    this.#tidy(crossing);
    if (crossing.underWay.size < MAX_UNDER_WAY && crossing.held.size === 0) {
      this.#setOut(crossing, pid, true);
      return undefined;
    }
    return new Promise((go, refuse) => {
      const held: Held = {
        pid,
        go: () => {
          signal.removeEventListener('abort', giveUp);
          go();
        },
      };
      const giveUp = (): void => {
        crossing.held.delete(held);
        refuse(FsError.from(signal.reason));
      };
      signal.addEventListener('abort', giveUp, { once: true });
      crossing.held.add(held);
      this.#watch(crossing);
    });
  }

  #crossingOf(ino: bigint): Crossing {
    let crossing = this.#crossings.get(ino);
    if (crossing === undefined) {
      crossing = {
        underWay: new Map(),
        late: new Map(),
        given: new Set(),
        shown: undefined,
        held: new Set(),
        timer: undefined,
      };
      this.#crossings.set(ino, crossing);
    }
    return crossing;
  }

  #setOut(crossing: Crossing, pid: number, sentBack: boolean): void {
    crossing.underWay.set(pid, { pid, sinceMs: this.#nowMs(), sentBack, ref: undefined });
  }

  #letGo(crossing: Crossing): void {
    for (const held of crossing.held) {
      if (crossing.underWay.size >= MAX_UNDER_WAY) return;
      crossing.held.delete(held);
      this.#setOut(crossing, held.pid, true);
      held.go();
    }
  }

  /** Lets others go on in place of those that do not come back. */
  #watch(crossing: Crossing): void {
    if (crossing.held.size === 0 || crossing.timer !== undefined) return;
    crossing.timer = setTimeout(() => {
      crossing.timer = undefined;
      this.#tidy(crossing);
      this.#letGo(crossing);
      this.#watch(crossing);
    }, TURN_MS);
  }

  #tidy(crossing: Crossing): void {
    const nowMs = this.#nowMs();
    for (const passage of crossing.underWay.values()) {
      if (passage.sinceMs > nowMs - TURN_MS) break;
      if (passage.sentBack && passage.sinceMs > nowMs - SLOW_TURN_MS && isAlive(passage.pid)) continue;
      if (passage.sentBack) {
        crossing.underWay.delete(passage.pid);
        crossing.late.set(passage.pid, passage);
      } else forget(crossing, passage);
    }
    for (const passage of crossing.late.values()) {
      if (passage.sinceMs > nowMs - KEPT_MS) break;
      forget(crossing, passage);
    }
  }
}

function forget(crossing: Crossing, passage: Passage): void {
  crossing.underWay.delete(passage.pid);
  crossing.late.delete(passage.pid);
  if (passage.ref !== undefined) crossing.given.delete(passage.ref);
}

/** Where that cannot be told, it is taken to be. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
