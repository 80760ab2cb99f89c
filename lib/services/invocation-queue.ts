import { FsError } from '../core/index.js';

export interface QueueLimits {
  readonly maxConcurrency: number;
  readonly maxQueue: number;
}

interface Waiting {
  readonly start: () => void;
}

/** How many calls of one service run at once; the rest wait in order, up to a limit. */
export class InvocationQueue {
  #limits: QueueLimits;
  #running = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** New limits; calls that they let in start at once. */
  configure(limits: QueueLimits): void {
    this.#limits = limits;
    this.#startWaiting();
  }

  /** EBUSY when a further call could neither run nor wait, else null. */
  refusal(): FsError | null {
    const { maxConcurrency, maxQueue } = this.#limits;
    if (this.#running < maxConcurrency || this.#waiting.size < maxQueue) return null;
    return new FsError(
      'EBUSY',
      `The queue is full: ${this.#running} running, ${this.#waiting.size} waiting.`,
      {
        hint: 'Retry when some have finished; metrics.json shows running and queued.',
      },
    );
  }

  /**
   * Waits for a place; the answer gives it back. Answers at once when one is free.
   * @throws FsError the reason of `signal` when it aborts while waiting.
   */
  enter(signal: AbortSignal): (() => void) | Promise<() => void> {
    if (this.#running < this.#limits.maxConcurrency && this.#waiting.size === 0) {
      this.#running++;
      return this.#leaveOnce();
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        start: () => {
          signal.removeEventListener('abort', giveUp);
          this.#running++;
          resolve(this.#leaveOnce());
        },
      };
      const giveUp = (): void => {
        this.#waiting.delete(waiting);
        reject(FsError.from(signal.reason));
      };
      if (signal.aborted) return giveUp();
      this.#waiting.add(waiting);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  #leaveOnce(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#running--;
      this.#startWaiting();
    };
  }

  #startWaiting(): void {
    for (const waiting of this.#waiting) {
      if (this.#running >= this.#limits.maxConcurrency) return;
      this.#waiting.delete(waiting);
      waiting.start();
    }
  }
}
