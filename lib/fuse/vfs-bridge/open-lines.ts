import { FsError } from '../../core/index.js';
import { BusyLoop } from './busy-loop.js';
import type { NodeRef } from './inode-table.js';

/** So many nodes of one per-open file are in use before others stand in line for them: as many as calls run at once, mostly. */
const SPREAD = 8;
/** Where a descriptor is closed again within this time, mostly, it pays to stand in line. */
const QUICK_MS = 50;
/** For this time at the most. */
const LINE_MS = 100;
/** Where somebody stood in line in vain nobody does for this time. */
const REST_MS = 1000;

/** A caller whose open is held back until the node is free, or for as long as it stands in line. */
interface Standing {
  readonly ref: NodeRef;
  readonly untilMs: number;
  readonly end: (isOwn: boolean) => void;
}

/** One per-open file that is in use. */
interface FileInUse {
  /** Its nodes that are open, each with the time of its open. */
  readonly since: Map<NodeRef, number>;
  /** In the order in which they came, and so in that in which their time is up. */
  readonly standing: Set<Standing>;
  /** A moving average of how long a descriptor stays open. */
  tookMs: number;
  /** Until then nobody stands in line. */
  restUntilMs: number;
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

  /** Whether a caller that looks for `ino` now does better to stand in line. */
  isCrowded(ino: bigint): boolean {
    const file = this.#files.get(ino);
    return file !== undefined && file.since.size >= SPREAD && this.#pays(file);
  }

  opened(ref: NodeRef): void {
    const { ino } = ref.node;
    let file = this.#files.get(ino);
    if (file === undefined) {
      file = {
        since: new Map(),
        standing: new Set(),
        tookMs: Infinity,
        restUntilMs: -Infinity,
        timer: undefined,
      };
      this.#files.set(ino, file);
    }
    if (!file.since.has(ref)) file.since.set(ref, this.#nowMs());
  }

  /** A descriptor of `ref` was closed, or not opened after all. Who is first in line takes it: it counts as being opened. */
  released(ref: NodeRef): void {
    const { ino } = ref.node;
    const file = this.#files.get(ino);
    if (file === undefined || ref.inUse) return;
    const sinceMs = file.since.get(ref);
    if (sinceMs !== undefined) {
      const tookMs = this.#nowMs() - sinceMs;
      file.tookMs = file.tookMs === Infinity ? tookMs : file.tookMs * 0.8 + tookMs * 0.2;
      file.since.delete(ref);
    }
    for (const next of file.standing) {
      if (next.ref !== ref) continue;
      ref.opening += 1;
      next.end(true);
      return;
    }
    if (file.since.size > 0 || file.standing.size > 0) return;
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
    if (file?.since.has(ref) !== true || !this.#pays(file)) return undefined;
    return new Promise((resolve, refuse) => {
      const leave = (): void => {
        file.standing.delete(standing);
        signal.removeEventListener('abort', giveUp);
      };
      const standing: Standing = {
        ref,
        untilMs: this.#nowMs() + LINE_MS,
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
      file.standing.add(standing);
      this.#watch(file);
    });
  }

  #pays({ tookMs, restUntilMs }: FileInUse): boolean {
    const nowMs = this.#nowMs();
    return tookMs <= QUICK_MS && restUntilMs <= nowMs && this.#isBusy(nowMs);
  }

  #watch(file: FileInUse): void {
    if (file.timer !== undefined || file.standing.size === 0) return;
    file.timer = setTimeout(() => {
      file.timer = undefined;
      const nowMs = this.#nowMs();
      for (const standing of file.standing) {
        if (standing.untilMs > nowMs) break;
        file.restUntilMs = nowMs + REST_MS;
        standing.end(false);
      }
      this.#watch(file);
    }, LINE_MS);
  }
}
