/** So much may be on its way at most, and at first. */
const MOST_BYTES = 4 * 1024 * 1024;
const FIRST_BYTES = 512 * 1024;
const LEAST_BYTES = 128 * 1024;
/** An answer that takes longer says that the line is slow: what others ask waits behind all that is on its way. */
const PROMPT_MS = 100;

/** A file that is written to, as far as its place matters. */
export interface WrittenFile {
  readonly parent: object | undefined;
  readonly name: string;
  /** It may be found by a name that is not known here. */
  readonly hasOtherNames: boolean;
}

interface Waiter {
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * The writes of a session that their callers were answered before the far side did: a window of bytes, the larger the
 * sooner answers come. Whoever asks for what they may change waits for them first.
 */
export class UnsettledWrites {
  #bytes = 0;
  #windowBytes = FIRST_BYTES;
  readonly #waiting: Waiter[] = [];
  readonly #ofFile = new Map<WrittenFile, Set<Promise<void>>>();
  /** Whose the last write to a file was. */
  readonly #writers = new WeakMap<WrittenFile, object>();

  /** Room for so many bytes, in turn; undefined: it is there at once. `add` or `giveBack` must follow. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#bytes += bytes;
      return undefined;
    }
    return new Promise((go) => this.#waiting.push({ bytes, go }));
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#bytes += next.bytes;
      next.go();
    }
  }

  /** `bytes` of `file`, for which there was room, are on their way by `writer`; `answered` never rejects. */
  add(file: WrittenFile, writer: object, bytes: number, answered: Promise<void>): void {
    const startMs = performance.now();
    let writes = this.#ofFile.get(file);
    if (writes === undefined) this.#ofFile.set(file, (writes = new Set()));
    const settled = answered.then(() => {
      const isPrompt = performance.now() - startMs <= PROMPT_MS;
      const window = this.#windowBytes + (isPrompt ? bytes : -bytes / 2);
      this.#windowBytes = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, window));
      writes.delete(settled);
      if (writes.size === 0 && this.#ofFile.get(file) === writes) this.#ofFile.delete(file);
      this.giveBack(bytes);
    });
    writes.add(settled);
    this.#writers.set(file, writer);
  }

  has(file: WrittenFile): boolean {
    return this.#ofFile.size > 0 && this.#ofFile.has(file);
  }

  /** Answers once the far side has answered all that was written to `file` so far; undefined: there is nothing. */
  of(file: WrittenFile): Promise<unknown> | undefined {
    const writes = this.#ofFile.get(file);
    return writes === undefined ? undefined : Promise.all([...writes]);
  }

  /** The same, unless all of it is `writer`'s own. */
  ofOthers(file: WrittenFile, writer: object): Promise<unknown> | undefined {
    return this.#writers.get(file) === writer ? undefined : this.of(file);
  }

  /** The same of what `name` in the directory `dir` may lead to; of all files without a name. */
  at(dir: object, name: string | undefined): Promise<unknown> | undefined {
    if (this.#ofFile.size === 0) return undefined;
    const concerned = [...this.#ofFile].filter(
      ([file]) => name === undefined || file.hasOtherNames || (file.parent === dir && file.name === name),
    );
    return concerned.length === 0 ? undefined : Promise.all(concerned.flatMap(([, writes]) => [...writes]));
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#windowBytes;
  }
}
