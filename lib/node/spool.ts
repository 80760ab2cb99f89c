import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { FsError, isJsonObject, type JsonObject } from '../core/index.js';

const DEFAULT_ROTATE_BYTES = 64 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;

/** Lines that were not sent yet, and what to call once they were taken. */
export interface Batch {
  readonly lines: readonly string[];
  taken(): void;
}

/** Up to where the lines were taken, on disk. The line that ends there is named, so that no other file is meant. */
interface Mark {
  readonly offset: number;
  readonly last: string;
}

/**
 * A file of lines that only grows, and that somebody else is to have too, each line once it was written, in
 * order, whatever is killed in between: the file itself is the queue, and `<path>.sent` says how far it was
 * taken. When it is full it is set aside as `<path>.1`, but not while that one still has lines to send.
 */
export class Spool {
  readonly path: string;
  readonly #rotateBytes: number;
  #fd: number;
  #size: number;
  #sent: { file: 'current' | 'previous'; offset: number } | null;

  /** @throws FsError when it cannot be opened. */
  constructor(path: string, rotateBytes = DEFAULT_ROTATE_BYTES) {
    this.path = path;
    this.#rotateBytes = rotateBytes;
    this.#fd = openSync(path, 'a+', 0o600);
    try {
      this.#size = wholeLines(this.#fd);
      this.#sent = existsSync(this.#markPath) ? this.#find(readMark(this.#markPath)) : null;
    } catch (thrown) {
      closeSync(this.#fd);
      throw thrown;
    }
  }

  get size(): number {
    return this.#size;
  }

  get changedAtMs(): number {
    return fstatSync(this.#fd).mtimeMs;
  }

  /** From now on lines are kept until they were taken. */
  keepUntilTaken(): void {
    if (this.#sent !== null) return;
    this.#sent = { file: existsSync(this.#previousPath) ? 'previous' : 'current', offset: 0 };
    this.#writeMark('');
  }

  read(at: number, size: number): Buffer {
    return readUpTo(this.#fd, at, Math.min(size, this.#size - at));
  }

  /** Answers whether the file was set aside: what is read from now on is another. @throws FsError */
  append(line: string): boolean {
    const bytes = Buffer.from(line);
    try {
      if (writeSync(this.#fd, bytes) !== bytes.length) throw new FsError('ENOSPC', 'The disk is full.');
    } catch (thrown) {
      ftruncateSync(this.#fd, this.#size);
      throw FsError.from(thrown);
    }
    this.#size += bytes.length;
    if (this.#size < this.#rotateBytes || this.#sent?.file === 'previous') return false;
    this.#rotate();
    return true;
  }

  /** The oldest lines that were not taken, as many as fit; null when all were. */
  batch(maxBytes: number): Batch | null {
    this.keepUntilTaken();
    for (;;) {
      const { file, offset } = this.#sent!;
      const text = file === 'current' ? this.read(offset, maxBytes) : this.#readPrevious(offset, maxBytes);
      const end = text.lastIndexOf(10) + 1;
      if (end > 0) {
        const lines = text.toString('utf8', 0, end - 1).split('\n');
        return { lines, taken: () => this.#take(file, offset, offset + end, lines.at(-1)!) };
      }
      if (file === 'current') return null;
      this.#sent = { file: 'current', offset: 0 };
    }
  }

  /** The last lines, oldest first. */
  tail(): string[] {
    const from = Math.max(0, this.#size - TAIL_BYTES);
    const lines = this.read(from, TAIL_BYTES).toString().split('\n').slice(0, -1);
    return from === 0 ? lines : lines.slice(1);
  }

  close(): void {
    closeSync(this.#fd);
  }

  get #previousPath(): string {
    return `${this.path}.1`;
  }

  get #markPath(): string {
    return `${this.path}.sent`;
  }

  #take(file: 'current' | 'previous', from: number, to: number, last: string): void {
    const sent = this.#sent;
    // Set aside while it was under way: the same lines are in the previous file now.
    if (sent?.offset !== from || (sent.file !== file && sent.file !== 'previous')) return;
    this.#sent = { file: sent.file, offset: to };
    this.#writeMark(last);
  }

  #rotate(): void {
    renameSync(this.path, this.#previousPath);
    closeSync(this.#fd);
    this.#fd = openSync(this.path, 'a+', 0o600);
    if (this.#sent !== null) {
      const all = this.#sent.offset === this.#size;
      this.#sent = all ? { file: 'current', offset: 0 } : { file: 'previous', offset: this.#sent.offset };
    }
    this.#size = 0;
  }

  #readPrevious(at: number, size: number): Buffer {
    const fd = openSync(this.#previousPath, 'r');
    try {
      return readUpTo(fd, at, size);
    } finally {
      closeSync(fd);
    }
  }

  #writeMark(last: string): void {
    const mark: Mark = { offset: this.#sent!.offset, last };
    writeFileSync(`${this.#markPath}.new`, JSON.stringify({ format: 1, ...mark }), { mode: 0o600 });
    renameSync(`${this.#markPath}.new`, this.#markPath);
  }

  /** Where the mark stands. Where it fits neither file, all is sent again: who takes the lines knows them by their ids. */
  #find(mark: Mark | null): { file: 'current' | 'previous'; offset: number } {
    const hasPrevious = existsSync(this.#previousPath);
    if (mark !== null) {
      if (endsAt(this.path, mark)) return { file: 'current', offset: mark.offset };
      if (hasPrevious && endsAt(this.#previousPath, mark)) return { file: 'previous', offset: mark.offset };
    }
    return { file: hasPrevious ? 'previous' : 'current', offset: 0 };
  }
}

function readMark(path: string): Mark | null {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as JsonObject;
    const { offset, last } = isJsonObject(value) ? value : {};
    return typeof offset === 'number' && typeof last === 'string' ? { offset, last } : null;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw FsError.from(thrown);
  }
}

/** Whether the line before the mark is the one that it names. */
function endsAt(path: string, { offset, last }: Mark): boolean {
  const line = Buffer.from(`${last}\n`);
  if (last === '' || offset < line.length || statSync(path).size < offset) return false;
  const fd = openSync(path, 'r');
  try {
    return readUpTo(fd, offset - line.length, line.length).equals(line);
  } finally {
    closeSync(fd);
  }
}

/** The size up to the last whole line; what a full disk cut off behind it is removed. */
function wholeLines(fd: number): number {
  const { size } = fstatSync(fd);
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - TAIL_BYTES);
    const newline = readUpTo(fd, from, end - from).lastIndexOf(10);
    if (newline !== -1) {
      if (from + newline + 1 < size) ftruncateSync(fd, from + newline + 1);
      return from + newline + 1;
    }
    end = from;
  }
  if (size > 0) ftruncateSync(fd, 0);
  return 0;
}

function readUpTo(fd: number, at: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, size));
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, at));
}
