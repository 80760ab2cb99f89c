import { FsError } from '../core/index.js';
import type { CancelSignal } from './cancel.js';
import { errorFromAbort } from './outcome.js';

export interface QueueLimits {
  readonly maxConcurrency: number;
  readonly maxQueue: number;
}

/** Gives a place back; harmless when called again. */
export type Release = () => void;

interface Waiting {
  readonly admit: () => void;
  readonly refuse: (error: FsError) => void;
}

/**
 * Which calls may run now: so many calls of a service at once, so many more waiting, first come first served.
 * The time limit of a call counts from its admission.
 */
export class AdmissionQueue {
  #limits: QueueLimits;
  readonly #waiting = new Set<Waiting>();
  #running = 0;
  /** A moving average of how long a place is held, for the advice when to come again. */
  #holdMs = 0;
  #closedBy: FsError | null = null;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** EBUSY when a further call could neither run nor wait, else null. */
  refusal(): FsError | null {
    if (this.#closedBy !== null) return this.#closedBy;
    const { maxConcurrency, maxQueue } = this.#limits;
    return this.#running < maxConcurrency || this.#waiting.size < maxQueue ? null : this.#full();
  }

  /**
   * A place: at once when one is free, else a promise of one.
   * @throws FsError EBUSY when the queue is full. The promise rejects with the reason of `signal` when it
   * aborts first (ECANCELED unless it is an `FsError` of its own).
   */
  enter(signal: CancelSignal): Release | Promise<Release> {
    if (this.#closedBy !== null) throw this.#closedBy;
    if (signal.aborted) throw errorFromAbort(signal);
    if (this.#running < this.#limits.maxConcurrency && this.#waiting.size === 0) return this.#take();
    if (this.#waiting.size >= this.#limits.maxQueue) throw this.#full();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        admit: () => {
          leave();
          resolve(this.#take());
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiting.refuse(errorFromAbort(signal));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  /** New limits for calls to come; what runs runs on, what waits keeps its place. */
  setLimits(limits: QueueLimits): void {
    this.#limits = limits;
    this.#admitNext();
  }

  /** Refuses all that wait, and all that come, with `error`. */
  close(error: FsError): void {
    this.#closedBy = error;
    for (const waiting of [...this.#waiting]) waiting.refuse(error);
  }

  #take(): Release {
    this.#running++;
    const since = performance.now();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running--;
      const holdMs = performance.now() - since;
      this.#holdMs = this.#holdMs === 0 ? holdMs : this.#holdMs * 0.8 + holdMs * 0.2;
      this.#admitNext();
    };
  }

  #admitNext(): void {
    for (const waiting of this.#waiting) {
      if (this.#running >= this.#limits.maxConcurrency) return;
      waiting.admit();
    }
  }

  #full(): FsError {
    const { maxConcurrency } = this.#limits;
    const waitMs = Math.ceil((this.#holdMs * (this.#waiting.size + 1)) / Math.max(1, maxConcurrency));
    const when = waitMs > 0 ? `in about ${waitMs} ms` : 'when one of them has finished';
    return new FsError('EBUSY', `${this.#running} calls are running and ${this.#waiting.size} are waiting.`, {
      hint: `Try again ${when}, or raise "max_concurrency" or "max_queue" in the manifest.`,
    });
  }
}
