import { writeSync } from 'node:fs';
import { writeStyled } from '../write-out.js';

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** The whole terminal, until `leave`; a process that ends in any way of its own gives it back as it was. */
export class FullScreen {
  readonly #onKeys: (keys: readonly string[]) => void;
  #shown: string[] = [];
  #isLeft = false;
  readonly leave = (): void => {
    if (this.#isLeft) return;
    this.#isLeft = true;
    process.stdin.off('data', this.#hear).pause();
    try {
      process.stdin.setRawMode(false);
      writeSync(process.stdout.fd, LEAVE);
    } catch {
      // The terminal is gone.
    }
    process.off('exit', this.leave).off('uncaughtExceptionMonitor', this.leave);
  };
  readonly #hear = (data: Buffer): void => this.#onKeys(keysIn(data.toString()));

  constructor(onKeys: (keys: readonly string[]) => void, onResize: () => void) {
    this.#onKeys = onKeys;
    process.on('exit', this.leave).on('uncaughtExceptionMonitor', this.leave);
    process.stdin.setRawMode(true).on('data', this.#hear).resume();
    process.stdout.on('resize', () => {
      this.#shown = [];
      if (!this.#isLeft) void writeStyled('\u001b[2J');
      onResize();
    });
    void writeStyled(ENTER);
  }

  get rows(): number {
    return process.stdout.rows || 24;
  }

  get columns(): number {
    return process.stdout.columns || 80;
  }

  /** Shows these lines; of what is there already nothing is sent. */
  show(lines: readonly string[]): void {
    if (this.#isLeft) return;
    const shown = Array.from({ length: this.rows }, (_, at) => lines[at] ?? '');
    const changes = shown.flatMap((line, at) =>
      line === this.#shown[at] ? [] : [`\u001b[${at + 1};1H${line}\u001b[0m\u001b[K`],
    );
    this.#shown = shown;
    if (changes.length > 0) void writeStyled(changes.join(''));
  }
}

const SEQUENCES = new Map([
  ['\u001b[A', 'up'],
  ['\u001b[B', 'down'],
  ['\u001bOA', 'up'],
  ['\u001bOB', 'down'],
  ['\u001b[D', 'left'],
  ['\u001b[C', 'right'],
  ['\u001b[5~', 'page up'],
  ['\u001b[6~', 'page down'],
  ['\r', 'enter'],
  ['\n', 'enter'],
  ['\t', 'tab'],
  ['\u0003', 'ctrl-c'],
  ['\u007f', 'backspace'],
  ['\b', 'backspace'],
  ['\u001b', 'escape'],
]);

/** The keys that were pressed, by name; of others the characters. */
export function keysIn(text: string): string[] {
  // eslint-disable-next-line no-control-regex -- what keys send
  const found = text.match(/\u001b\[[0-9;]*[A-Za-z~]|\u001bO[A-Z]|[\s\S]/gu) ?? [];
  return found.flatMap((each) => SEQUENCES.get(each) ?? (each.startsWith('\u001b') ? [] : each));
}
