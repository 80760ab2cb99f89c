import type { Clock, Log } from '../../core/index.js';

/** Does again and again what keeps the store as large as it may be; a failure waits for the next time. */
export class Housekeeper {
  readonly #work: () => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #everyMs: number;
  #stop: () => void;

  constructor(work: () => void, { clock, log, everyMs }: { clock: Clock; log: Log; everyMs: number }) {
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
    try {
      this.#work();
    } catch (thrown) {
      this.#log.error('what is too old could not be removed', { error: thrown });
    }
    this.#stop = this.#clock.after(this.#everyMs, () => this.#round());
  }
}
