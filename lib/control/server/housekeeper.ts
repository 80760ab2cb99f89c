import type { Clock, Log } from '../../core/index.js';

/** Between the steps of what takes several, so that others have their turn. */
const STEP_MS = 20;

/**
 * Does again and again what keeps the store as large as it may be; work that answers true goes on soon, and a
 * failure waits for the next time.
 */
export class Housekeeper {
  readonly #work: () => boolean;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #everyMs: number;
  #stop: () => void;

  constructor(work: () => boolean, { clock, log, everyMs }: { clock: Clock; log: Log; everyMs: number }) {
    this.#work = work;
    this.#clock = clock;
    this.#log = log;
    this.#everyMs = everyMs;
    this.#stop = clock.after(everyMs, () => this.#round());
  }

  close(): void {
    this.#stop();
  }

  #round(): void {
    let more = false;
    try {
      more = this.#work();
    } catch (thrown) {
      this.#log.error('what is too old could not be removed', { error: thrown });
    }
    this.#stop = this.#clock.after(more ? STEP_MS : this.#everyMs, () => this.#round());
  }
}
