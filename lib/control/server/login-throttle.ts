import type { Clock } from '../../core/index.js';

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 8_000;
const FORGET_AFTER_MS = 60_000;
const MAX_WAITING = 16;
const MAX_ADDRESSES = 10_000;

interface Failures {
  count: number;
  waiting: number;
  lastMs: number;
}

/**
 * Slows down who guesses: each failed login of an address is answered later than the one before. Only
 * failures wait; a valid token is never looked at here.
 */
export class LoginThrottle {
  readonly #clock: Clock;
  readonly #addresses = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls back when the failure may be answered; `refuse` at once where too many wait already. */
  failed(address: string, answer: () => void, refuse: () => void): void {
    const now = this.#clock.now();
    let entry = this.#addresses.get(address);
    if (entry === undefined || (entry.waiting === 0 && now - entry.lastMs > FORGET_AFTER_MS)) {
      if (this.#addresses.size >= MAX_ADDRESSES) this.#forget(now);
      entry = { count: 0, waiting: 0, lastMs: now };
      this.#addresses.set(address, entry);
    }
    const own = entry;
    own.count++;
    own.lastMs = now;
    if (own.waiting >= MAX_WAITING) {
      refuse();
      return;
    }
    own.waiting++;
    const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(own.count - 1, 10));
    this.#clock.after(delayMs, () => {
      own.waiting--;
      answer();
    });
  }

  #forget(now: number): void {
    for (const [address, { waiting, lastMs }] of this.#addresses) {
      if (waiting === 0 && now - lastMs > FORGET_AFTER_MS) this.#addresses.delete(address);
    }
    const excess = this.#addresses.size - MAX_ADDRESSES + 1;
    for (const address of [...this.#addresses.keys()].slice(0, Math.max(0, excess)))
      this.#addresses.delete(address);
  }
}
