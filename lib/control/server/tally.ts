/** Counts by labels. */
export class Tally<Label extends string = never> implements Iterable<{
  labels: Partial<Record<Label, string>>;
  value: number;
}> {
  readonly labelNames: readonly Label[];
  readonly #values = new Map<string, { readonly labels: Partial<Record<Label, string>>; value: number }>();
  total = 0;

  constructor(labelNames: readonly Label[] = []) {
    this.labelNames = labelNames;
    if (labelNames.length === 0) this.#add({}, 0);
  }

  inc(labels: Partial<Record<Label, string>> = {}): void {
    this.#add(labels, 1);
  }

  dec(): void {
    this.#add({}, -1);
  }

  [Symbol.iterator](): IterableIterator<{ labels: Partial<Record<Label, string>>; value: number }> {
    return this.#values.values();
  }

  #add(labels: Partial<Record<Label, string>>, by: number): void {
    this.total += by;
    const key = this.labelNames.map((name) => labels[name] ?? '').join('\0');
    const known = this.#values.get(key);
    if (known === undefined) this.#values.set(key, { labels, value: by });
    else known.value += by;
  }
}
