/**
 * The bridges that have changed something. What is done for one of them it knows from the answer; which of several it was,
 * the far side does not say.
 */
export class Origins {
  #last: WeakRef<object> | undefined;
  #others: WeakRef<object>[] = [];
  #hasUnknown = false;

  /** Undefined: a caller that nobody is notified instead of. */
  note(origin: object | undefined): void {
    if (origin === undefined) {
      this.#hasUnknown = true;
      return;
    }
    const before = this.#last;
    if (before?.deref() === origin) return;
    this.#others = this.#others.filter((other) => ![undefined, origin].includes(other.deref()));
    if (before !== undefined) this.#others.push(before);
    this.#last = new WeakRef(origin);
  }

  /** The only one that there is. */
  get only(): object | undefined {
    if (this.#hasUnknown) return undefined;
    if (this.#others.length > 0) this.#others = this.#others.filter((other) => other.deref() !== undefined);
    return this.#others.length > 0 ? undefined : this.#last?.deref();
  }
}
