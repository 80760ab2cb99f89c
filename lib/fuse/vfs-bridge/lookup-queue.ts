import { FsError } from '../../core/index.js';
import { isAlive } from '../../linux/index.js';
import type { NodeRef } from './inode-table.js';
import { OpenLines } from './open-lines.js';

/**
 * So many are under way to one per-open file at a time, each to a node of its own. They stand in line for the
 * directory's lock, and a caller that lists it stands behind them.
 */
const MAX_UNDER_WAY = 3;
/** A caller that does not come back in this time died, wanted no more than the name, or is slow. */
const TURN_MS = 100;
/** For this time others wait for one that is slow: in its place they would only make the line longer. */
const SLOW_TURN_MS = 2000;
/** For this time what somebody was sent back for is kept for it. */
const KEPT_MS = 10_000;
/** Glances of callers that never asked on; more than these are forgotten. */
const MAX_SHOWN = 1024;
/** For this time who listed or asked for attributes is taken for one that looks, and does not call. */
const LOOKS_MS = 1000;
/** More of them are forgotten. */
const MAX_LOOKERS = 1024;

/** A caller on its way to a node of its own, and what it was given. */
interface PendingLookup {
  readonly pid: number;
  readonly sinceMs: number;
  /** It was sent back at open to walk its path again, which it does once. */
  readonly sentBack: boolean;
  ref: NodeRef | undefined;
}

/** A caller whose open is held back. */
interface Held {
  readonly pid: number;
  readonly go: () => void;
}

/** The callers that look one per-open file up. */
interface FileQueue {
  /** Each by its pid, in the order in which they set out. */
  readonly underWay: Map<number, PendingLookup>;
  /** Those of whom nothing was heard for a turn, though they were sent back. */
  readonly late: Map<number, PendingLookup>;
  /** What they were given. */
  readonly given: Set<NodeRef>;
  /** What was opened last, and so what the name leads to, mostly. */
  shown: NodeRef | undefined;
  /** In the order in which they came. */
  readonly held: Set<Held>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * How callers find a per-open file.
 *
 * Each is to get a nodeid of its own, and each new nodeid voids the name for all who walk over it at that
 * moment: they look again under the directory's lock, one after the other. So only a few at a time are given
 * one by a lookup. All others are shown what the name leads to already, so that attributes and listings wait
 * for nobody; a caller that opens that is held there, where it holds no lock, until the node is free and so its own, or
 * until it is its turn to be sent back for another.
 */
export class LookupQueue {
  readonly #queues = new Map<bigint, FileQueue>();
  readonly #shownTo = new Map<number, NodeRef>();
  /** Each pid with the time of its last look. */
  readonly #lookers = new Map<number, number>();
  /** Of those who wait for what another has open. */
  readonly lines: OpenLines;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.lines = new OpenLines(nowMs);
  }

  /** @returns whether what `pid` finds now at `ino` is to be its own. */
  enter(ino: bigint, pid: number): boolean {
    if (this.#isExpected(ino, pid)) return true;
    if (this.lines.best(ino) !== undefined) return false;
    const queue = this.#crossingOf(ino);
    this.#tidy(queue);
    if (this.#nowMs() - (this.#lookers.get(pid) ?? -Infinity) < LOOKS_MS) return false;
    if (queue.underWay.size >= MAX_UNDER_WAY || queue.held.size > 0) return false;
    this.#setOut(queue, pid, false);
    return true;
  }

  /** What `pid` was given on its way to `ino`. */
  given(ino: bigint, pid: number): NodeRef | undefined {
    const queue = this.#queues.get(ino);
    return (queue?.underWay.get(pid) ?? queue?.late.get(pid))?.ref;
  }

  give(ino: bigint, pid: number, ref: NodeRef): void {
    const queue = this.#queues.get(ino);
    const lookup = queue?.underWay.get(pid) ?? queue?.late.get(pid);
    if (queue === undefined || lookup === undefined) return;
    if (lookup.ref !== undefined) queue.given.delete(lookup.ref);
    lookup.ref = ref;
    queue.given.add(ref);
  }

  /** Whether `ref` was given to somebody who may be about to open it. */
  isGiven(ino: bigint, ref: NodeRef): boolean {
    return this.#queues.get(ino)?.given.has(ref) === true;
  }

  /** What the name of `ino` leads to for who finds none of its own. */
  shown(ino: bigint): NodeRef | undefined {
    return this.lines.best(ino) ?? this.#queues.get(ino)?.shown;
  }

  /** `pid` lists, or asks for attributes: a node of its own would void the name for those who call. */
  look(pid: number): void {
    if (this.#lookers.size >= MAX_LOOKERS) this.#lookers.clear();
    this.#lookers.set(pid, this.#nowMs());
  }

  /** `pid` is shown a node that is not its own. */
  recordShown(pid: number, ref: NodeRef): void {
    if (this.#shownTo.size >= MAX_SHOWN) this.#shownTo.clear();
    this.#shownTo.set(pid, ref);
  }

  /** Whether what `pid` asks of `ref` now is about the name, not about what somebody has open there. */
  endShown(pid: number, ref: NodeRef): boolean {
    if (this.#shownTo.get(pid) !== ref) return false;
    return this.#shownTo.delete(pid);
  }

  /** `pid` came back to what it found. @returns whether it had been sent back for it. */
  leave(ino: bigint, pid: number): boolean {
    const queue = this.#queues.get(ino);
    const lookup = queue?.underWay.get(pid) ?? queue?.late.get(pid);
    if (queue === undefined || lookup === undefined) return false;
    if (lookup.ref !== undefined) queue.shown = lookup.ref;
    forget(queue, lookup);
    this.#letGo(queue);
    if (queue.underWay.size + queue.late.size + queue.held.size === 0) this.#queues.delete(ino);
    return lookup.sentBack;
  }

  /**
   * Before `pid`, which opens what is not its own, is sent back.
   * @returns undefined where it may be now; else it may once the promise settles.
   * @throws FsError where it gives up before.
   */
  waitTurn(ino: bigint, pid: number, signal: AbortSignal): Promise<void> | undefined {
    this.#lookers.delete(pid);
    const queue = this.#crossingOf(ino);
    this.#tidy(queue);
    if (queue.underWay.size < MAX_UNDER_WAY && queue.held.size === 0) {
      this.#setOut(queue, pid, true);
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
        queue.held.delete(held);
        refuse(FsError.from(signal.reason));
      };
      signal.addEventListener('abort', giveUp, { once: true });
      queue.held.add(held);
      this.#watch(queue);
    });
  }

  #isExpected(ino: bigint, pid: number): boolean {
    const queue = this.#queues.get(ino);
    if (queue === undefined) return false;
    this.#tidy(queue);
    return queue.underWay.has(pid) || queue.late.has(pid);
  }

  #crossingOf(ino: bigint): FileQueue {
    let queue = this.#queues.get(ino);
    if (queue === undefined) {
      queue = {
        underWay: new Map(),
        late: new Map(),
        given: new Set(),
        shown: undefined,
        held: new Set(),
        timer: undefined,
      };
      this.#queues.set(ino, queue);
    }
    return queue;
  }

  #setOut(queue: FileQueue, pid: number, sentBack: boolean): void {
    queue.underWay.set(pid, { pid, sinceMs: this.#nowMs(), sentBack, ref: undefined });
  }

  #letGo(queue: FileQueue): void {
    for (const held of queue.held) {
      if (queue.underWay.size >= MAX_UNDER_WAY) return;
      queue.held.delete(held);
      this.#setOut(queue, held.pid, true);
      held.go();
    }
  }

  /** Lets others go on in place of those that do not come back. */
  #watch(queue: FileQueue): void {
    if (queue.held.size === 0 || queue.timer !== undefined) return;
    queue.timer = setTimeout(() => {
      queue.timer = undefined;
      this.#tidy(queue);
      this.#letGo(queue);
      this.#watch(queue);
    }, TURN_MS);
  }

  #tidy(queue: FileQueue): void {
    const nowMs = this.#nowMs();
    for (const lookup of queue.underWay.values()) {
      if (lookup.sinceMs > nowMs - TURN_MS) break;
      if (lookup.sentBack && lookup.sinceMs > nowMs - SLOW_TURN_MS && isAlive(lookup.pid)) continue;
      if (lookup.sentBack) {
        queue.underWay.delete(lookup.pid);
        queue.late.set(lookup.pid, lookup);
      } else forget(queue, lookup);
    }
    for (const lookup of queue.late.values()) {
      if (lookup.sinceMs > nowMs - KEPT_MS) break;
      forget(queue, lookup);
    }
  }
}

function forget(queue: FileQueue, lookup: PendingLookup): void {
  queue.underWay.delete(lookup.pid);
  queue.late.delete(lookup.pid);
  if (lookup.ref !== undefined) queue.given.delete(lookup.ref);
}
