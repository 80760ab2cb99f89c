import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { FsError, isJsonObject, type JsonObject } from '../core/index.js';

const DEFAULT_ROTATE_BYTES = 64 * 1024 * 1024;
export const DEFAULT_AUDIT_UNSENT_BYTES = 1024 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;
const COUNT_BYTES = 1024 * 1024;

/** Lines that were not sent yet, and what to call once they were taken. */
export interface Batch {
  readonly lines: readonly string[];
  taken(): void;
}

/** Lines that nobody took, and that are gone to make room. */
export interface Dropped {
  readonly lines: number;
  readonly first: string;
  readonly last: string;
}

export interface AuditQueueOptions {
  /** The file is set aside when it has so much. */
  readonly rotateBytes?: number;
  /** How much is kept at most until it is taken; at least the file and one that was set aside. */
  readonly maxBytes?: number;
  /** The line that says what was dropped: it is written before that goes. */
  readonly lineOfDropped: (dropped: Dropped) => string;
}

/** A place in the queue: in the current file (0), the one that was set aside last (1) … */
interface Place {
  file: number;
  offset: number;
}

/** Up to where the lines were taken, on disk. The line that ends there is named, so that no other file is meant. */
interface Mark {
  readonly offset: number;
  readonly last: string;
}

/**
 * A file of lines that only grows, and that somebody else is to have too, each line once it was written, in
 * order, whatever is killed in between: the file itself is the queue, and `<path>.sent` says how far it was
 * taken. When it is full it is set aside as `<path>.1`, which is `<path>.2` then, and so on, for as long as they have
 * lines to send; beyond `maxBytes` the oldest is dropped, and a line says so.
 */
export class AuditQueueFile {
  readonly path: string;
  readonly #rotateBytes: number;
  readonly #maxAside: number;
  readonly #lineOfDropped: (dropped: Dropped) => string;
  #fd: number;
  #markFd: number | null = null;
  #size: number;
  /** How many were set aside. */
  #aside: number;
  /** Where the oldest line to send is. */
  #sent: Place | null;

  /** @throws FsError when it cannot be opened. */
  constructor(path: string, { rotateBytes, maxBytes, lineOfDropped }: AuditQueueOptions) {
    this.path = path;
    this.#rotateBytes = rotateBytes ?? DEFAULT_ROTATE_BYTES;
    this.#maxAside = Math.max(
      1,
      Math.floor((maxBytes ?? DEFAULT_AUDIT_UNSENT_BYTES) / this.#rotateBytes) - 1,
    );
    this.#lineOfDropped = lineOfDropped;
    this.#fd = openSync(path, 'a+', 0o600);
    try {
      this.#size = wholeLines(this.#fd);
      this.#aside = this.#renumber();
      this.#sent = existsSync(this.#markPath) ? this.#find(readMark(this.#markPath)) : null;
      if (this.#sent !== null) this.#removeTaken(this.#sent);
    } catch (thrown) {
      this.close();
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
    if (this.#sent === null) this.#sendFrom({ file: this.#aside, offset: 0 });
  }

  read(at: number, size: number): Buffer {
    return readUpTo(this.#fd, at, Math.min(size, this.#size - at));
  }

  /** Answers whether the file was set aside: what is read from now on is another. @throws FsError */
  append(line: string): boolean {
    const mostAside = this.#sent === null ? 1 : this.#maxAside;
    while (this.#aside > mostAside) this.#dropOldest();
    this.#write(line);
    if (this.#size < this.#rotateBytes) return false;
    this.#rotate();
    return true;
  }

  /** The oldest lines that were not taken, as many as fit; null when all were. */
  batch(maxBytes: number): Batch | null {
    let from = this.#sent ?? this.#sendFrom({ file: this.#aside, offset: 0 });
    for (;;) {
      const { file, offset } = from;
      const text =
        file === 0 ? this.read(offset, maxBytes) : readFileAt(this.#pathOf(file), offset, maxBytes);
      const end = text.lastIndexOf(10) + 1;
      if (end > 0) {
        const place = from;
        const lines = text.toString('utf8', 0, end - 1).split('\n');
        return { lines, taken: () => this.#take(place, offset + end, lines.at(-1) ?? '') };
      }
      if (file === 0) return null;
      this.#sent = from = { file: file - 1, offset: 0 };
      this.#removeTaken(from);
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
    if (this.#markFd !== null) closeSync(this.#markFd);
    this.#markFd = null;
  }

  #pathOf(file: number): string {
    return file === 0 ? this.path : `${this.path}.${file}`;
  }

  get #markPath(): string {
    return `${this.path}.sent`;
  }

  #write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      if (writeSync(this.#fd, bytes) !== bytes.length) throw new FsError('ENOSPC', 'The disk is full.');
    } catch (thrown) {
      ftruncateSync(this.#fd, this.#size);
      throw FsError.from(thrown);
    }
    this.#size += bytes.length;
  }

  /** Files may have been set aside meanwhile: the place is the same object as long as nothing else was taken. */
  #take(from: Place, to: number, last: string): void {
    if (this.#sent !== from) return;
    from.offset = to;
    this.#sent = { ...from };
    this.#writeMark(to, last);
  }

  /** What is sent next begins there, at the beginning of a file. */
  #sendFrom(place: Place): Place {
    this.#sent = place;
    this.#writeMark(0, '');
    return place;
  }

  #rotate(): void {
    for (let file = this.#aside; file >= 0; file--) renameSync(this.#pathOf(file), this.#pathOf(file + 1));
    this.#aside++;
    closeSync(this.#fd);
    this.#fd = openSync(this.path, 'a+', 0o600);
    this.#size = 0;
    if (this.#sent === null) return;
    this.#sent.file++;
    this.#removeTaken(this.#sent);
  }

  /** Those of which all was sent go, but for one, which is for people to read. */
  #removeTaken(sent: Place): void {
    const needed = Math.max(1, sent.file);
    if (this.#aside <= needed) return;
    // Once they are gone, what is to be sent begins where the oldest file does.
    if (sent.offset === 0) this.#writeMark(0, '');
    while (this.#aside > needed) rmSync(this.#pathOf(this.#aside--), { force: true });
  }

  /** A kill in between leaves both the lines and the one about them: the lines are not lost then. */
  #dropOldest(): void {
    const oldest = this.#aside;
    const from = this.#sent?.offset ?? 0;
    const dropped = linesOf(this.#pathOf(oldest), from);
    if (dropped !== null) this.#write(this.#lineOfDropped(dropped));
    if (this.#sent !== null) this.#sendFrom({ file: oldest - 1, offset: 0 });
    rmSync(this.#pathOf(oldest), { force: true });
    this.#aside--;
  }

  /** Answers how many were set aside. A kill while they were renamed leaves a number that none has. */
  #renumber(): number {
    const prefix = `${basename(this.path)}.`;
    const numbers = readdirSync(dirname(this.path))
      .filter((name) => name.startsWith(prefix) && /^[1-9]\d*$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
    for (const [at, number] of numbers.entries())
      if (number !== at + 1) renameSync(this.#pathOf(number), this.#pathOf(at + 1));
    return numbers.length;
  }

  /**
   * In its place: to replace a file takes some file systems milliseconds, and this is done for each batch. Of a part of a mark nothing is
   * known, and all is sent again.
   */
  #writeMark(offset: number, last: string): void {
    const mark: Mark = { offset, last };
    try {
      this.#markFd ??= openSync(this.#markPath, constants.O_RDWR | constants.O_CREAT, 0o600);
      const text = Buffer.from(JSON.stringify({ format: 1, ...mark }));
      const bytes = Buffer.alloc(Math.max(text.length, fstatSync(this.#markFd).size), ' ');
      text.copy(bytes);
      if (writeSync(this.#markFd, bytes, 0, bytes.length, 0) !== bytes.length)
        throw new FsError('ENOSPC', 'The disk is full.');
    } catch (thrown) {
      throw FsError.from(thrown);
    }
  }

  /** Where the mark stands. Where it fits no file, all is sent again: their receiver knows the lines by their ids. */
  #find(mark: Mark | null): Place {
    for (let file = 0; mark !== null && file <= this.#aside; file++)
      if (endsAt(this.#pathOf(file), mark)) return { file, offset: mark.offset };
    return { file: this.#aside, offset: 0 };
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
  return readFileAt(path, offset - line.length, line.length).equals(line);
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

function readFileAt(path: string, at: number, size: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    return readUpTo(fd, at, size);
  } finally {
    closeSync(fd);
  }
}

/** The lines of a file from `at` on, counted; null where there are none. */
function linesOf(path: string, at: number): Dropped | null {
  const fd = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(COUNT_BYTES);
    let lines = 0;
    for (let from = at; ;) {
      const size = readSync(fd, chunk, 0, chunk.length, from);
      if (size === 0) break;
      const part = chunk.subarray(0, size);
      for (let end = part.indexOf(10); end !== -1; end = part.indexOf(10, end + 1)) lines++;
      from += size;
    }
    if (lines === 0) return null;
    const [first = ''] = readUpTo(fd, at, TAIL_BYTES).toString().split('\n');
    const { size } = fstatSync(fd);
    const last = readUpTo(fd, Math.max(at, size - TAIL_BYTES), TAIL_BYTES)
      .toString()
      .trimEnd();
    return { lines, first, last: last.slice(last.lastIndexOf('\n') + 1) };
  } finally {
    closeSync(fd);
  }
}
