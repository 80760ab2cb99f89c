import { progressFrom, type Progress } from './progress.js';

/** What begins a line that says how far a call is; JSON follows. */
const MARK = Buffer.from('::progress ');
/** What is searched for: so short a text is found thrice as fast. */
const START = MARK.subarray(0, 3);
/** A longer line is none of these. */
const MAX_LINE_BYTES = 4096;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const EMPTY = Buffer.alloc(0);

/** The line that says this, for a driver's progress that came otherwise and is none. */
export function progressLine(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  return `${MARK.toString()}${text ?? String(value)}\n`;
}

/**
 * Takes the lines of a stderr that say how far a call is (`::progress {"done": 3, "total": 10, "message": "…"}`), and
 * passes everything else on as it comes, lines among it that only look like one.
 */
export class ProgressLines {
  readonly #pass: (chunk: Uint8Array) => void;
  readonly #onProgress: (progress: Progress) => void;
  /** The beginning of a line that may become one. */
  #held: Buffer = EMPTY;
  #isAtLineStart = true;

  constructor(pass: (chunk: Uint8Array) => void, onProgress: (progress: Progress) => void) {
    this.#pass = pass;
    this.#onProgress = onProgress;
  }

  take(given: Buffer): void {
    if (given.length === 0) return;
    const chunk = this.#held.length === 0 ? given : Buffer.concat([this.#held, given]);
    const startsLine = this.#held.length > 0 || this.#isAtLineStart;
    this.#held = EMPTY;
    const end = this.#takeLines(chunk, startsLine);
    this.#isAtLineStart = this.#held.length === 0 && chunk[chunk.length - 1] === NEWLINE;
    if (end < chunk.length && this.#held.length === 0) this.#pass(end === 0 ? chunk : chunk.subarray(end));
  }

  /** What was said is over: a last line may lack its end. */
  end(): void {
    const last = this.#held;
    this.#held = EMPTY;
    if (last.length > 0 && !this.#isProgress(last)) this.#pass(last);
  }

  /** Answers up to where it is done with: the remainder is to be passed on, unless it is held. */
  #takeLines(chunk: Buffer, startsLine: boolean): number {
    let done = 0;
    for (let at = chunk.indexOf(START); at !== -1;) {
      if ((at === 0 ? startsLine : chunk[at - 1] === NEWLINE) && isMarked(chunk, at)) {
        const end = chunk.indexOf(NEWLINE, at);
        if (end === -1) return chunk.length - at <= MAX_LINE_BYTES ? this.#hold(chunk, done, at) : done;
        if (end - at <= MAX_LINE_BYTES && this.#isProgress(chunk.subarray(at, end))) {
          if (at > done) this.#pass(chunk.subarray(done, at));
          done = end + 1;
        }
        at = chunk.indexOf(START, end);
      } else at = chunk.indexOf(START, at + 1);
    }
    const lastLine = chunk.lastIndexOf(NEWLINE) + 1;
    const isStart = lastLine > 0 || startsLine;
    const rest = chunk.length - lastLine;
    if (!isStart || rest === 0 || rest >= MARK.length || chunk.compare(MARK, 0, rest, lastLine) !== 0)
      return done;
    return this.#hold(chunk, done, lastLine);
  }

  #hold(chunk: Buffer, done: number, from: number): number {
    if (from > done) this.#pass(chunk.subarray(done, from));
    this.#held = Buffer.from(chunk.subarray(from));
    return chunk.length;
  }

  #isProgress(line: Buffer): boolean {
    if (!isMarked(line, 0)) return false;
    const last = line[line.length - 1] === CARRIAGE_RETURN ? line.length - 1 : line.length;
    let progress: Progress | null;
    try {
      progress = progressFrom(JSON.parse(line.toString('utf8', MARK.length, last)));
    } catch {
      // A line that is no JSON stays an ordinary one.
      return false;
    }
    if (progress === null) return false;
    this.#onProgress(progress);
    return true;
  }
}

function isMarked(bytes: Buffer, at: number): boolean {
  const end = at + MARK.length;
  return bytes.length >= end && bytes.compare(MARK, 0, MARK.length, at, end) === 0;
}
