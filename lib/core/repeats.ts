import type { Clock } from './clock.js';

/** The same again and again is told once more when so long (ms) has passed, with how often it came. */
export const REPEATS_WINDOW_MS = 10_000;
const MAX_KEYS = 4096;

interface Group<Facts> {
  facts: Facts;
  repeats: number;
  disarm: () => void;
}

/**
 * Groups what is alike: the first of a kind is told at once, what follows within the window when that ends,
 * as one with its count. Whoever repeats himself so costs a line in each window, and nothing is left out.
 */
export class Repeats<Facts> {
  readonly #clock: Clock;
  readonly #tell: (facts: Facts, repeats: number) => void;
  readonly #groups = new Map<string, Group<Facts>>();

  /** `tell`: `repeats` is 0 for the first of a kind, else how many more there were, of which these were the last. */
  constructor(clock: Clock, tell: (facts: Facts, repeats: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** @throws what `tell` throws for the first of a kind. */
  note(kind: string, facts: Facts): void {
    const group = this.#groups.get(kind);
    if (group !== undefined) {
      group.facts = facts;
      group.repeats++;
      return;
    }
    this.#tell(facts, 0);
    const oldest = this.#groups.keys().next();
    if (this.#groups.size >= MAX_KEYS && oldest.done !== true) this.#end(oldest.value);
    this.#groups.set(kind, { facts, repeats: 0, disarm: this.#arm(kind) });
  }

  /** Tells what was not told yet. */
  close(): void {
    for (const kind of [...this.#groups.keys()]) this.#end(kind);
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
      this.#tell(facts, repeats);
    });
  }

  #end(kind: string): void {
    const { facts, repeats, disarm } = this.#groups.get(kind)!;
    this.#groups.delete(kind);
    disarm();
    if (repeats > 0) this.#tell(facts, repeats);
  }
}
