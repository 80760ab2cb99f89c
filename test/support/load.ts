/** What is done again and again, by several at once, and what of it failed. */
export class Load {
  done = 0;
  readonly failures: string[] = [];
  /** How long each took, of those that were asked to be timed. */
  readonly tookMs: number[] = [];
  #isOver = false;
  readonly #loops: Promise<void>[] = [];

  repeat(act: () => Promise<unknown>): void {
    this.#loops.push(this.#loop(act));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  async #loop(act: () => Promise<unknown>): Promise<void> {
    while (!this.#isOver) {
      const startMs = performance.now();
      await act().then(
        () => {
          this.done++;
          this.tookMs.push(performance.now() - startMs);
        },
        (thrown: unknown) => this.failures.push(String(thrown)),
      );
    }
  }
}

/** Of so many, the one that this part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}
