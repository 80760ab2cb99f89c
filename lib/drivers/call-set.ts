import { driverClosed } from './outcome.js';

/** The calls that a driver has under way, so that closing it ends them and waits for them. */
export class CallSet {
  readonly #running = new Map<AbortController, Promise<unknown>>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Runs `work` with a `stop` that follows the caller's signal and aborts when the driver is closed. */
  async track<Result>(
    caller: AbortSignal,
    work: (stop: AbortController) => Promise<Result>,
  ): Promise<Result> {
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(caller.reason);
    caller.addEventListener('abort', onAbort, { once: true });
    const running = work(controller);
    this.#running.set(controller, running);
    try {
      return await running;
    } finally {
      this.#running.delete(controller);
      caller.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const running = [...this.#running];
    for (const [controller] of running) controller.abort(driverClosed());
    await Promise.allSettled(running.map(([, work]) => work));
  }
}
