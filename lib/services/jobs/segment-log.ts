import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FsError, isJsonObject, type JsonObject } from '../../core/index.js';

/** A run of bytes that a record's body holds. */
export interface Extent {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/** One file of the log. */
export interface Segment {
  readonly number: number;
  readonly path: string;
  size: number;
  /** Bytes of bodies that somebody still refers to. */
  live: number;
}

export interface SegmentLogOptions {
  /** Also survive power loss: flush each record to the disk. */
  readonly fsync: boolean;
  readonly segmentBytes?: number;
  /** What each new segment must repeat, because the segments that said it may be gone by then. */
  readonly preface: () => JsonObject;
}

const FORMAT = 1;
const IDLE_MS = 30_000;

/**
 * An append-only log of records (a JSON header and a body of raw bytes) in segment files. A record is
 * one `write`, so it is there whole or, after a kill in its midst, not at all: each carries a CRC-32,
 * and a torn tail is cut off when the log is opened. The oldest segments are deleted once nobody
 * refers to them, always from the front, so that what a later record took back cannot return.
 *
 * A record is `<crc32 of the rest, 8 hex digits> <header JSON>\n<body>\n`; `len` in the header is the
 * length of the body.
 */
export class SegmentLog {
  readonly #dir: string;
  readonly #options: SegmentLogOptions;
  readonly #segments = new Map<number, Segment>();
  #active: Segment | null = null;
  #fd: number | null = null;
  #idle: NodeJS.Timeout | null = null;
  readonly #segmentBytes: number;

  constructor(dir: string, options: SegmentLogOptions) {
    this.#dir = dir;
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? 8 * 1024 * 1024;
  }

  /**
   * Reads all records there are, oldest first.
   * @throws FsError EPROTO when a segment was written by a newer format.
   */
  replay(onRecord: (header: JsonObject, body: Extent) => void): void {
    for (const number of this.#numbersOnDisk()) {
      const segment = { number, path: this.#pathOf(number), size: 0, live: 0 };
      this.#segments.set(number, segment);
      const bytes = readFileSync(segment.path);
      segment.size = replaySegment(segment, bytes, onRecord);
      if (segment.size < bytes.length) truncate(segment.path, segment.size);
    }
    this.#active = null;
  }

  /** Appends a record and returns where its body lies. One `write`, done when this returns. */
  append(header: JsonObject, ...body: readonly Uint8Array[]): Extent {
    const segment = this.#writable();
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const head = `${JSON.stringify({ ...header, len: length })}\n`;
    const bodyAt = CRC_BYTES + Buffer.byteLength(head);
    const record = Buffer.allocUnsafe(bodyAt + length + 1);
    record.write(head, CRC_BYTES);
    let at = bodyAt;
    for (const part of body) {
      record.set(part, at);
      at += part.length;
    }
    record[at] = NEWLINE;
    const crc = crc32(record.subarray(CRC_BYTES, at));
    record.write(`${crc.toString(16).padStart(8, '0')} `, 0, 'latin1');
    this.#write(segment, record);
    const offset = segment.size + bodyAt;
    segment.size += record.length;
    return { segment, offset, length };
  }

  read(extent: Extent, at: number, size: number): Buffer {
    const length = Math.max(0, Math.min(size, extent.length - at));
    const bytes = Buffer.allocUnsafe(length);
    if (length === 0) return bytes;
    if (extent.segment === this.#active) {
      readFully(this.#openActive(), bytes, extent.offset + at);
      return bytes;
    }
    const fd = openSync(extent.segment.path, 'r');
    try {
      readFully(fd, bytes, extent.offset + at);
    } finally {
      closeSync(fd);
    }
    return bytes;
  }

  /** The oldest segment, when the log holds so much that is dead that copying what lives out of it pays. */
  worthEvacuating(): Segment | null {
    let size = 0;
    let live = 0;
    for (const segment of this.#segments.values()) {
      size += segment.size;
      live += segment.live;
    }
    const [oldest] = this.#segments.values();
    if (oldest === undefined || oldest === this.#active || size <= 2 * live + 2 * this.#segmentBytes)
      return null;
    return oldest;
  }

  /** Deletes the oldest segments as far as nobody refers to them. */
  sweep(): void {
    for (const segment of this.#segments.values()) {
      if (segment === this.#active || segment.live > 0) return;
      this.#segments.delete(segment.number);
      unlinkSync(segment.path);
    }
  }

  /** Makes what was written survive power loss. */
  sync(): void {
    if (this.#fd !== null) fdatasyncSync(this.#fd);
  }

  close(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #write(segment: Segment, record: Uint8Array): void {
    const fd = this.#openActive();
    try {
      const written = writeSync(fd, record, 0, record.length, segment.size);
      if (written !== record.length)
        throw new FsError('ENOSPC', 'The state directory is full.', {
          hint: 'Free some space where --state-dir lies.',
          path: segment.path,
        });
      if (this.#options.fsync) fdatasyncSync(fd);
    } catch (thrown) {
      ftruncateSync(fd, segment.size);
      throw FsError.from(thrown);
    }
  }

  #writable(): Segment {
    if (this.#active !== null && this.#active.size < this.#segmentBytes) return this.#active;
    this.close();
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const number = Math.max(0, ...this.#segments.keys()) + 1;
    const segment = { number, path: this.#pathOf(number), size: 0, live: 0 };
    this.#segments.set(number, segment);
    this.#active = segment;
    this.append({ ...this.#options.preface(), t: 'segment', format: FORMAT });
    return segment;
  }

  #openActive(): number {
    if (this.#fd === null) {
      this.#fd = openSync(this.#active!.path, openFlag(this.#active!), 0o600);
    }
    this.#closeWhenIdle();
    return this.#fd;
  }

  #closeWhenIdle(): void {
    if (this.#idle !== null) {
      this.#idle.refresh();
      return;
    }
    this.#idle = setTimeout(() => this.close(), IDLE_MS);
    this.#idle.unref();
  }

  #numbersOnDisk(): number[] {
    try {
      return readdirSync(this.#dir)
        .flatMap((name) => /^(\d{8})\.log$/.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
    } catch (thrown) {
      if (FsError.from(thrown).code === 'ENOENT') return [];
      throw thrown;
    }
  }

  #pathOf(number: number): string {
    return join(this.#dir, `${String(number).padStart(8, '0')}.log`);
  }
}

const NEWLINE = 10;
/** Eight hexadecimal digits and a blank. */
const CRC_BYTES = 9;

function openFlag(segment: Segment): string {
  return segment.size === 0 ? 'w+' : 'r+';
}

function readFully(fd: number, into: Buffer, from: number): void {
  for (let done = 0; done < into.length;) {
    const count = readSync(fd, into, done, into.length - done, from + done);
    if (count === 0)
      throw new FsError('EIO', 'A job on disk is shorter than it was.', {
        hint: 'Has something changed the state directory?',
      });
    done += count;
  }
}

/** Calls back for each whole record and returns where they end. */
function replaySegment(
  segment: Segment,
  bytes: Buffer,
  onRecord: (header: JsonObject, body: Extent) => void,
): number {
  let at = 0;
  for (;;) {
    const headEnd = bytes.indexOf(10, at);
    if (headEnd === -1) return at;
    const header = parseHeader(bytes.toString('utf8', at + 9, headEnd));
    const length = header?.len;
    if (header === null || typeof length !== 'number') return at;
    const end = headEnd + 1 + length;
    if (end >= bytes.length || bytes[end] !== 10) return at;
    if (crc32(bytes.subarray(at + 9, end)) !== parseInt(bytes.toString('latin1', at, at + 8), 16)) return at;
    if (header.t === 'segment') checkFormat(header, segment.path);
    onRecord(header, { segment, offset: headEnd + 1, length });
    at = end + 1;
  }
}

function parseHeader(text: string): JsonObject | null {
  try {
    const header: unknown = JSON.parse(text);
    return isJsonObject(header) ? header : null;
  } catch {
    return null;
  }
}

function checkFormat(header: JsonObject, path: string): void {
  if (typeof header.format === 'number' && header.format <= FORMAT) return;
  throw new FsError(
    'EPROTO',
    `The jobs in ${path} were written by a newer version of Acheron (format ${JSON.stringify(header.format)}).`,
    {
      hint: `This version reads formats up to ${FORMAT}. Start the newer version; nothing was changed.`,
      path,
    },
  );
}

function truncate(path: string, size: number): void {
  const fd = openSync(path, 'r+');
  try {
    ftruncateSync(fd, size);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
