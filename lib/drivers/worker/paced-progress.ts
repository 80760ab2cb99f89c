/** A thread says so often how far a call is, and at its end once more if that was not the last. */
const PACE_MS = 100;

/** What a driver says of its progress in a thread, passed to the node no faster than anybody looks. */
export class PacedProgress {
  readonly #send: (value: unknown) => void;
  #sentAt = -Infinity;
  #latest: { readonly value: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (value: unknown) => void) {
    this.#send = send;
  }

  say(value: unknown): void {
    this.#latest = { value };
    const waitMs = this.#sentAt + PACE_MS - performance.now();
    if (waitMs <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), waitMs).unref();
  }

  /** Sends what was said last, unless it was sent already. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest === undefined) return;
    this.#sentAt = performance.now();
    this.#send(latest.value);
  }
}
