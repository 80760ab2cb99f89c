/** Numbers for what is open, small and used again. */
export class HandleTable<T> {
  readonly #slots: (T | undefined)[] = [];
  readonly #free: number[] = [];

  add(value: T): number {
    const fh = this.#free.pop() ?? this.#slots.length;
    this.#slots[fh] = value;
    return fh;
  }

  get(fh: number): T | undefined {
    return this.#slots[fh];
  }

  remove(fh: number): T | undefined {
    const value = this.#slots[fh];
    if (value === undefined) return undefined;
    this.#slots[fh] = undefined;
    this.#free.push(fh);
    return value;
  }

  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** Takes everything out. */
  drain(): T[] {
    const values = this.#slots.filter((value) => value !== undefined);
    this.#slots.length = 0;
    this.#free.length = 0;
    return values;
  }
}
