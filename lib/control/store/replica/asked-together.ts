/** A question that those who ask it while it is being answered ask together, once more: no answer is older than its question. */
export class AskedTogether {
  readonly #ask: () => Promise<unknown>;
  #answering: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }

  answered(): Promise<void> {
    return (this.#next ??= this.#askNext());
  }

  async #askNext(): Promise<void> {
    await this.#answering.catch(() => undefined);
    this.#next = undefined;
    await (this.#answering = this.#ask());
  }
}
