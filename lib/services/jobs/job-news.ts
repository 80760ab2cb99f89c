import { FsError, type Clock } from '../../core/index.js';

/** Who waits is notified so often at most; at once where nothing was new for as long. */
const PACE_MS = 100;

interface Waiting {
  /** True: there is news. False: there will be none. Null: not yet. */
  readonly look: () => boolean | null;
  readonly settle: (isNews: boolean) => void;
}

/** Those who wait until something of a job is new. However much is, they look at it ten times a second. */
export class JobNews {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  #lastMs = -Infinity;
  #isPlanned = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Settles with what `look` says, once it is not null. @throws FsError the reason of `signal` */
  next(look: () => boolean | null, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.reject(FsError.from(signal.reason));
    const now = look();
    if (now === false) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const settle = (isNews: boolean): void => {
        end();
        resolve(isNews);
      };
      const giveUp = (): void => {
        end();
        reject(FsError.from(signal.reason));
      };
      const waiting: Waiting = { look, settle };
      const end = (): void => {
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', giveUp);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(waiting);
      if (now === true) this.#plan();
    });
  }

  /** Something is new. The last news are not waited with. */
  say(isLast: boolean): void {
    if (this.#waiting.size === 0) return;
    if (isLast) this.#settle();
    else this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    const waitMs = this.#lastMs + PACE_MS - this.#clock.now();
    if (!(waitMs > 0 && waitMs <= PACE_MS)) return this.#settle();
    this.#isPlanned = true;
    this.#clock.after(waitMs, () => {
      this.#isPlanned = false;
      this.#settle();
    });
  }

  #settle(): void {
    for (const { look, settle } of [...this.#waiting]) {
      const answer = look();
      if (answer === null) continue;
      this.#lastMs = this.#clock.now();
      settle(answer);
    }
  }
}
