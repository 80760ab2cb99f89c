import { Cancel, type CancelSignal } from './cancel.js';
import { driverClosed } from './outcome.js';

/** The calls that a driver has under way, so that closing it ends them and waits for them. */
export class CallSet {
  readonly #running = new Map<Cancel, Promise<unknown>>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Runs `work` with a `stop` that follows the caller's signal and aborts when the driver is closed. */
  async track<Result>(caller: CancelSignal, work: (stop: Cancel) => Promise<Result>): Promise<Result> {
    const stop = new Cancel();
    const onAbort = (): void => stop.abort(caller.reason);
    caller.addEventListener('abort', onAbort, { once: true });
    const running = work(stop);
    this.#running.set(stop, running);
    try {
      return await running;
    } finally {
      this.#running.delete(stop);
      caller.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const running = [...this.#running];
    for (const [stop] of running) stop.abort(driverClosed());
    await Promise.allSettled(running.map(([, work]) => work));
  }
}
