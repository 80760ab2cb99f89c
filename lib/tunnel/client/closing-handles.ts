/** So many are given back together. */
const MOST_TOGETHER = 32;
/** A descriptor that only reads, and has nothing to report, is given back at the latest after this time. */
const LATEST_MS = 5;

/**
 * Descriptors that are to be given back, where it makes no difference when: many with one request, since each request costs both
 * sides as much as the opening of a small file.
 */
export class ClosingHandles {
  readonly #close: (handles: readonly number[]) => void;
  #handles: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(close: (handles: readonly number[]) => void) {
    this.#close = close;
  }

  add(handle: number): void {
    this.#handles.push(handle);
    if (this.#handles.length >= MOST_TOGETHER) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), LATEST_MS).unref();
  }

  /** A connection that is lost has closed them all. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#handles = [];
  }

  #flush(): void {
    const handles = this.#handles;
    this.forget();
    if (handles.length > 0) this.#close(handles);
  }
}
