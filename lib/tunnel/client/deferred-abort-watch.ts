import { onAbort } from './on-abort.js';

/** What takes longer than this is watched for a caller who gives up. */
const DEFER_MS = 20;

interface Watched {
  readonly waiting: { readonly signal?: AbortSignal };
  readonly s: string | undefined;
  stop: (() => void) | undefined;
}

/**
 * Reports when the callers of requests give up. Most requests are answered at once, and to make and watch an
 * `AbortSignal` costs more than such an answer: so the signals of those that take longer are looked at,
 * all together, a moment later.
 */
export class DeferredAbortWatch {
  readonly #onAborted: (tag: number, s: string | undefined) => void;
  readonly #watched = new Map<number, Watched>();
  #fresh: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(onAborted: (tag: number, s: string | undefined) => void) {
    this.#onAborted = onAborted;
  }

  add(tag: number, waiting: { readonly signal?: AbortSignal }, s: string | undefined): void {
    this.#watched.set(tag, { waiting, s, stop: undefined });
    this.#fresh.push(tag);
    this.#timer ??= setTimeout(() => this.#look(), DEFER_MS);
  }

  delete(tag: number): void {
    this.#watched.get(tag)?.stop?.();
    this.#watched.delete(tag);
  }

  end(): void {
    clearTimeout(this.#timer);
    for (const tag of [...this.#watched.keys()]) this.delete(tag);
    this.#fresh = [];
  }

  #look(): void {
    this.#timer = undefined;
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const tag of fresh) {
      const watched = this.#watched.get(tag);
      const signal = watched?.waiting.signal;
      if (watched === undefined || signal === undefined) continue;
      const aborted = (): void => this.#onAborted(tag, watched.s);
      if (signal.aborted) aborted();
      else watched.stop = onAbort(signal, aborted);
    }
  }
}
