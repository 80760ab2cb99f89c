import type { Clock } from './clock.js';

/** What repeats is reported once more when so long (ms) has passed, with its count. */
export const REPEATS_WINDOW_MS = 10_000;
const MAX_KEYS = 4096;

interface Group<Facts> {
  facts: Facts;
  repeats: number;
  disarm: () => void;
}

/**
 * Groups what is alike: the first of a kind is reported at once, what follows within the window when that ends,
 * as one with its count. A repetition so costs a line in each window, and nothing is left out.
 */
export class Repeats<Facts> {
  readonly #clock: Clock;
  readonly #report: (facts: Facts, repeats: number) => void;
  readonly #groups = new Map<string, Group<Facts>>();

  /** `report`: `repeats` is 0 for the first of a kind, else how many more there were, of which these were the last. */
  constructor(clock: Clock, report: (facts: Facts, repeats: number) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** @throws what `report` throws for the first of a kind. */
  note(kind: string, facts: Facts): void {
    const group = this.#groups.get(kind);
    if (group !== undefined) {
      group.facts = facts;
      group.repeats++;
      return;
    }
    this.#report(facts, 0);
    const oldest = this.#groups.entries().next();
    if (this.#groups.size >= MAX_KEYS && oldest.done !== true) this.#end(...oldest.value);
    this.#groups.set(kind, { facts, repeats: 0, disarm: this.#arm(kind) });
  }

  /** Reports what was not reported yet. */
  close(): void {
    for (const [kind, group] of [...this.#groups]) this.#end(kind, group);
  }

  #arm(kind: string): () => void {
    return this.#clock.after(REPEATS_WINDOW_MS, () => {
      const group = this.#groups.get(kind);
      if (group === undefined) return;
      const { facts, repeats } = group;
      if (repeats === 0) {
        this.#groups.delete(kind);
        return;
      }
      group.repeats = 0;
      group.disarm = this.#arm(kind);
      this.#report(facts, repeats);
    });
  }

  #end(kind: string, { facts, repeats, disarm }: Group<Facts>): void {
    this.#groups.delete(kind);
    disarm();
    if (repeats > 0) this.#report(facts, repeats);
  }
}
