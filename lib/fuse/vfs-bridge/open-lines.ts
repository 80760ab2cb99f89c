import { FsError } from '../../core/index.js';
import { BusyLoop } from './busy-loop.js';
import type { NodeRef } from './inode-table.js';

/** So many nodes of one per-open file are in use before others stand in line for them: as many as calls run at once, mostly. */
const SPREAD = 8;
/** Where a descriptor is closed again within this time, mostly, it pays to stand in line. */
const QUICK_MS = 50;
/** A line that does not move for this time is given up. */
const STUCK_MS = 100;
/** By so much a line may be longer than the shortest before the name leads there: each such change is seen by all who walk. */
const LONGER = 3;

/** A caller whose open is held back. */
interface Standing {
  readonly end: (isOwn: boolean) => void;
}

/** A node that is open, or was closed just now for the next in its line. */
interface OpenNode {
  sinceMs: number;
  /** In the order in which they came. */
  readonly line: Set<Standing>;
}

/** One per-open file that is in use. */
interface FileInUse {
  readonly nodes: Map<NodeRef, OpenNode>;
  /** What the name leads to, mostly. */
  shown: NodeRef;
  /** A moving average of how long a descriptor stays open. */
  tookMs: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Lines of callers that would open a node which another has open, for as long as descriptors are closed quickly: who
 * is first takes the node as it is once it is closed. To be sent back for a node of its own costs each a walk over its
 * whole path, which matters where there is no time to spare; where there is, nobody waits for another.
 */
export class OpenLines {
  readonly #files = new Map<bigint, FileInUse>();
  readonly #nowMs: () => number;
  readonly #isBusy: (nowMs: number) => boolean;

  constructor(nowMs: () => number, isBusy?: () => boolean) {
    this.#nowMs = nowMs;
    const loop = new BusyLoop();
    this.#isBusy = isBusy ?? ((at) => loop.isBusy(at));
  }

  /**
   * The node in whose line a caller that looks for `ino` now does best to stand; undefined where it does better to find one
   * of its own. It is what the name leads to already, where that is nearly as good as any.
   */
  best(ino: bigint): NodeRef | undefined {
    const file = this.#files.get(ino);
    const nowMs = this.#nowMs();
    if (file === undefined || file.nodes.size < SPREAD || !this.#pays(file, nowMs)) return undefined;
    let moving = 0;
    let best: NodeRef | undefined;
    let shortest = Infinity;
    for (const [ref, node] of file.nodes) {
      if (nowMs - node.sinceMs > QUICK_MS) continue;
      moving++;
      const length = node.line.size - (ref === file.shown ? LONGER : 0);
      if (length >= shortest) continue;
      best = ref;
      shortest = length;
    }
    if (best === undefined || moving < SPREAD) return undefined;
    return (file.shown = best);
  }

  opened(ref: NodeRef): void {
    const { ino } = ref.node;
    let file = this.#files.get(ino);
    if (file === undefined) {
      file = { nodes: new Map(), shown: ref, tookMs: Infinity, timer: undefined };
      this.#files.set(ino, file);
    }
    if (file.nodes.has(ref)) return;
    file.nodes.set(ref, { sinceMs: this.#nowMs(), line: new Set() });
    file.shown = ref;
  }

  /** A descriptor of `ref` was closed, or not opened after all. Who is first in line takes it: it counts as being opened. */
  released(ref: NodeRef): void {
    const { ino } = ref.node;
    const file = this.#files.get(ino);
    const node = file?.nodes.get(ref);
    if (file === undefined || node === undefined || ref.inUse) return;
    const nowMs = this.#nowMs();
    const tookMs = nowMs - node.sinceMs;
    file.tookMs = file.tookMs === Infinity ? tookMs : file.tookMs * 0.8 + tookMs * 0.2;
    const [next] = node.line;
    if (next !== undefined) {
      node.sinceMs = nowMs;
      ref.opening += 1;
      next.end(true);
      return;
    }
    file.nodes.delete(ref);
    if (file.nodes.size > 0) return;
    clearTimeout(file.timer);
    this.#files.delete(ino);
  }

  /**
   * Waits until who has `ref` open closes it; undefined where that would take too long.
   * @returns whether it is the caller's own then; it is to be opened, with `opening` counted already.
   * @throws FsError where it gives up before.
   */
  stand(ref: NodeRef, signal: AbortSignal): Promise<boolean> | undefined {
    const file = this.#files.get(ref.node.ino);
    const node = file?.nodes.get(ref);
    const nowMs = this.#nowMs();
    if (file === undefined || node === undefined || !this.#pays(file, nowMs)) return undefined;
    if (nowMs - node.sinceMs > QUICK_MS) return undefined;
    return new Promise((resolve, refuse) => {
      const leave = (): void => {
        node.line.delete(standing);
        signal.removeEventListener('abort', giveUp);
      };
      const standing: Standing = {
        end: (isOwn) => {
          leave();
          resolve(isOwn);
        },
      };
      const giveUp = (): void => {
        leave();
        refuse(FsError.from(signal.reason));
      };
      signal.addEventListener('abort', giveUp, { once: true });
      node.line.add(standing);
      this.#watch(file);
    });
  }

  #pays({ tookMs }: FileInUse, nowMs: number): boolean {
    return tookMs <= QUICK_MS && this.#isBusy(nowMs);
  }

  /** Sends on those whose line does not move. */
  #watch(file: FileInUse): void {
    file.timer ??= setTimeout(() => {
      file.timer = undefined;
      const nowMs = this.#nowMs();
      let waits = false;
      for (const { line, sinceMs } of file.nodes.values()) {
        if (nowMs - sinceMs >= STUCK_MS) for (const standing of line) standing.end(false);
        waits ||= line.size > 0;
      }
      if (waits) this.#watch(file);
    }, STUCK_MS / 2);
  }
}
