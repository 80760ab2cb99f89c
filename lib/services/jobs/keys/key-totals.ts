import type { Entry } from './key-table.js';

/** What a principal's keys take. */
export interface KeyTotal {
  keys: number;
  bytes: number;
  /** When the newest of them was accepted. */
  newestMs: number;
}

/** What the keys of one segment, or of all, take for each principal. */
export class KeyTotals {
  readonly #totals = new Map<number, KeyTotal>();

  static from(rows: Iterable<readonly number[]>): KeyTotals {
    const totals = new KeyTotals();
    for (const [principal = 0, keys = 0, bytes = 0, newestMs = 0] of rows)
      totals.#totals.set(principal, { keys, bytes, newestMs });
    return totals;
  }

  get(principal: number): Readonly<KeyTotal> | undefined {
    return this.#totals.get(principal);
  }

  /** When the newest of all was accepted. */
  get newestMs(): number {
    let newest = 0;
    for (const total of this.#totals.values()) newest = Math.max(newest, total.newestMs);
    return newest;
  }

  get all(): Pick<KeyTotal, 'keys' | 'bytes'> {
    const all = { keys: 0, bytes: 0 };
    for (const { keys, bytes } of this.#totals.values()) {
      all.keys += keys;
      all.bytes += bytes;
    }
    return all;
  }

  /** A key counts once, with its acceptance; its outcome adds bytes. */
  count({ principal, ended, length, atMs }: Entry): void {
    this.#change(principal, ended ? 0 : 1, length, atMs);
  }

  add(other: KeyTotals): void {
    for (const [principal, { keys, bytes, newestMs }] of other.#totals)
      this.#change(principal, keys, bytes, newestMs);
  }

  subtract(other: KeyTotals): void {
    for (const [principal, { keys, bytes }] of other.#totals) {
      const total = this.#totals.get(principal);
      if (total === undefined) continue;
      total.keys -= keys;
      total.bytes -= bytes;
      if (total.keys <= 0 && total.bytes <= 0) this.#totals.delete(principal);
    }
  }

  toRows(): number[][] {
    return [...this.#totals].map(([principal, { keys, bytes, newestMs }]) => [
      principal,
      keys,
      bytes,
      newestMs,
    ]);
  }

  #change(principal: number, keys: number, bytes: number, newestMs: number): void {
    const total = this.#totals.get(principal);
    if (total === undefined) {
      this.#totals.set(principal, { keys, bytes, newestMs });
      return;
    }
    total.keys += keys;
    total.bytes += bytes;
    total.newestMs = Math.max(total.newestMs, newestMs);
  }
}
