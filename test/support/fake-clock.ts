import type { Clock } from '../../lib/core/index.js';

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number;
  readonly #due = new Set<{ readonly at: number; readonly callback: () => void }>();

  constructor(now = Date.parse('2026-01-02T03:04:05Z')) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const entry = { at: this.#now + delayMs, callback };
    this.#due.add(entry);
    return () => this.#due.delete(entry);
  }

  /** How many callbacks wait. */
  get pending(): number {
    return this.#due.size;
  }

  /** Moves on, calling back what falls due, in its order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#due].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}
