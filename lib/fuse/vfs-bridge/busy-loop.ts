import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** So much of its time the event loop works when it has no time to spare. */
const BUSY = 0.7;
const WINDOW_MS = 20;

/** Whether this thread had no time to spare of late. */
export class BusyLoop {
  #atMs = -Infinity;
  #last: EventLoopUtilization | undefined;
  #isBusy = false;

  isBusy(nowMs: number): boolean {
    if (nowMs - this.#atMs < WINDOW_MS) return this.#isBusy;
    const now = performance.eventLoopUtilization();
    // What was before the last look says nothing, where that is long ago.
    this.#isBusy =
      this.#last !== undefined &&
      nowMs - this.#atMs < 10 * WINDOW_MS &&
      performance.eventLoopUtilization(now, this.#last).utilization >= BUSY;
    this.#last = now;
    this.#atMs = nowMs;
    return this.#isBusy;
  }
}
