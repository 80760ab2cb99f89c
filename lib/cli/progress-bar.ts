import type { WriteStream } from 'node:tty';
import type { ShownProgress } from '../worldfs/index.js';
import { progressText, type Mark } from './progress-line.js';
import { writeError } from './write-out.js';

const CLEAR_LINE = '\r\u001b[K';
const NEWLINE = 10;

/** The last line of a terminal's standard error, redrawn in place: how far a job is. Output of the job goes above it. */
export class ProgressBar {
  readonly #terminal: WriteStream;
  #progress: ShownProgress | null = null;
  #since: Mark | null = null;
  #isDrawn = false;
  /** Whether what was passed on ended a line; else a bar would stand upon it. */
  #isAtLineStart = true;
  readonly #redraw = (): void => this.#draw();

  private constructor(terminal: WriteStream) {
    this.#terminal = terminal;
    terminal.on('resize', this.#redraw);
  }

  /** Null where standard error is no terminal, or one that cannot go back within a line. */
  static open(): ProgressBar | null {
    const { stderr } = process;
    return stderr.isTTY && process.env['TERM'] !== 'dumb' ? new ProgressBar(stderr) : null;
  }

  show(progress: ShownProgress): void {
    const { done, updated_at } = progress;
    this.#progress = progress;
    if (done !== null && updated_at !== null && (this.#since === null || done < this.#since.done))
      this.#since = { done, atMs: Date.parse(updated_at) };
    this.#draw();
  }

  /** Passes on output of the job. */
  write(bytes: Uint8Array): void {
    this.#clear();
    writeError(bytes);
    if (bytes.length > 0) this.#isAtLineStart = bytes[bytes.length - 1] === NEWLINE;
    this.#draw();
  }

  /** Takes it away for good. */
  end(): void {
    this.#terminal.off('resize', this.#redraw);
    this.#clear();
    this.#progress = null;
  }

  #draw(): void {
    if (this.#progress === null || !this.#isAtLineStart) return;
    const text = progressText(this.#progress, this.#since, this.#terminal.columns - 1);
    if (text === '' && !this.#isDrawn) return;
    this.#terminal.write(`${CLEAR_LINE}${text}`);
    this.#isDrawn = true;
  }

  #clear(): void {
    if (!this.#isDrawn) return;
    this.#terminal.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}
