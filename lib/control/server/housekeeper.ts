import type { Clock, Log } from '../../core/index.js';
import type { Awaitable } from '../../vfs/index.js';

/** Between the steps of what takes several, so that others have their turn. */
const STEP_MS = 20;

/**
 * Does again and again what keeps the store as large as it may be; work that answers true goes on soon, and a
 * failure waits for the next time.
 */
export class Housekeeper {
  readonly #work: () => Awaitable<boolean>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #everyMs: number;
  #stop: () => void;
  #isClosed = false;

  constructor(
    work: () => Awaitable<boolean>,
    { clock, log, everyMs }: { clock: Clock; log: Log; everyMs: number },
  ) {
    this.#work = work;
    this.#clock = clock;
    this.#log = log;
    this.#everyMs = everyMs;
    this.#stop = clock.after(everyMs, () => this.#round());
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #round(): void {
    try {
      const more = this.#work();
      if (more instanceof Promise)
        more.then(
          (goesOn) => this.#arm(goesOn),
          (thrown: unknown) => this.#failed(thrown),
        );
      else this.#arm(more);
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #failed(thrown: unknown): void {
    this.#log.error('what is too old could not be removed', { error: thrown });
    this.#arm(false);
  }

  #arm(more: boolean): void {
    if (this.#isClosed) return;
    this.#stop = this.#clock.after(more ? STEP_MS : this.#everyMs, () => this.#round());
  }
}
