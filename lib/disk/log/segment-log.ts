import { rmSync, unlinkSync } from 'node:fs';
import type { JsonObject, Log } from '../../core/index.js';
import { makeDirs } from '../../linux/index.js';
import { AppendFile } from './append-file.js';
import { recordFrom } from './log-record.js';
import { readLogFacts, writeLogFacts, type LogFacts } from './log-facts.js';
import { FORMAT, pathOfSegment, replaySegments } from './replay-segments.js';
import { readExtent, type ByteStore, type Extent, type Segment } from './segment.js';

export interface SegmentLogOptions {
  /** Also survive power loss: flush each record to the disk. */
  readonly fsync: boolean;
  readonly segmentBytes?: number | undefined;
  /** What each new segment must repeat, because the segments that said it may be gone by then. */
  readonly preface: () => JsonObject;
  /** Hears of what is damaged. */
  readonly log: Log;
}

/**
 * An append-only log of records (see `log-record.ts`) in segment files. A record is one `write`, so it is
 * there whole or, after a kill in its midst, not at all: the torn end of the newest segment is cut off when
 * the log is opened. Anything else that is no record is damage: it is logged, the file is kept aside, and what
 * is whole is read. The oldest segments are deleted once nobody refers to them, always from the front, so
 * that what a later record took back cannot return.
 */
export class SegmentLog implements ByteStore {
  readonly #dir: string;
  readonly #options: SegmentLogOptions;
  readonly #segments = new Map<number, Segment>();
  #facts: LogFacts;
  /** What is appended to. */
  #active: { readonly segment: Segment; readonly file: AppendFile } | null = null;
  #lastAt = 0;
  readonly #segmentBytes: number;

  /** @throws FsError EPROTO when a newer format wrote it. */
  constructor(dir: string, options: SegmentLogOptions) {
    this.#dir = dir;
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? 2 * 1024 * 1024;
    this.#facts = readLogFacts(dir, options.log);
  }

  /**
   * Reads all records there are, oldest first.
   * @throws FsError EPROTO when a segment was written by a newer format.
   */
  replay(onRecord: (header: JsonObject, body: Extent) => void): void {
    const { facts, log } = { facts: this.#facts, log: this.#options.log };
    for (const segment of replaySegments(this.#dir, facts, log, onRecord))
      this.#segments.set(segment.number, segment);
    this.#active = null;
  }

  /** Appends a record and returns where its body lies. One `write`, done when this returns. */
  append(header: JsonObject, ...body: readonly Uint8Array[]): Extent {
    const { segment, file } = this.#writable();
    const { record, bodyAt, length } = recordFrom(
      header,
      body,
      header.t === 'segment' ? 0 : this.#facts.salt,
    );
    file.append(record);
    this.#lastAt = segment.size;
    const offset = segment.size + bodyAt;
    segment.size += record.length;
    return { segment, offset, length };
  }

  /** Takes back the record that was appended last. */
  undo(): void {
    if (this.#active === null) return;
    const { segment, file } = this.#active;
    segment.size = this.#lastAt;
    file.cutTo(segment.size);
  }

  read(extent: Extent, at: number, size: number): Buffer {
    if (this.#active === null || extent.segment !== this.#active.segment) return readExtent(extent, at, size);
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(size, extent.length - at)));
    if (bytes.length > 0) this.#active.file.read(bytes, extent.offset + at);
    return bytes;
  }

  /**
   * The oldest segment, when the log holds so much that is dead that copying what lives out of it pays: on a disk that
   * is full, as soon as half of it is.
   */
  worthEvacuating(diskIsFull = false): Segment | null {
    let size = 0;
    let live = 0;
    for (const segment of this.#segments.values()) {
      size += segment.size;
      live += segment.live;
    }
    const [oldest] = this.#segments.values();
    const slack = diskIsFull ? 0 : 2 * this.#segmentBytes;
    if (oldest === undefined || size <= 2 * live + slack) return null;
    return diskIsFull || oldest !== this.#active?.segment ? oldest : null;
  }

  /** What is appended from now on is not in this segment. */
  leave(segment: Segment): void {
    if (segment === this.#active?.segment) this.#startSegment();
  }

  /** Deletes the oldest segments as far as nobody refers to them. */
  sweep(): void {
    const dead: Segment[] = [];
    for (const segment of this.#segments.values()) {
      if (segment === this.#active?.segment || segment.live > 0) break;
      dead.push(segment);
    }
    const newest = dead.at(-1);
    if (newest === undefined) return;
    // The facts first: a segment that they do not ask for may be there, but not the other way round.
    this.#setFacts({ ...this.#facts, from: newest.number + 1 });
    for (const segment of dead) {
      this.#segments.delete(segment.number);
      unlinkSync(segment.path);
    }
  }

  /** Makes what was written survive power loss. */
  sync(): void {
    this.#active?.file.sync();
  }

  close(): void {
    this.#active?.file.close();
  }

  #writable(): { segment: Segment; file: AppendFile } {
    if (this.#active !== null && this.#active.segment.size < this.#segmentBytes) return this.#active;
    return this.#startSegment();
  }

  #startSegment(): { segment: Segment; file: AppendFile } {
    this.close();
    makeDirs(this.#dir, 0o700);
    const number = Math.max(this.#facts.to, ...this.#segments.keys()) + 1;
    const segment = { number, path: pathOfSegment(this.#dir, number), size: 0, live: 0 };
    const active = { segment, file: new AppendFile(segment.path, 0, this.#options.fsync) };
    this.#active = active;
    this.#segments.set(number, segment);
    try {
      const { salt } = this.#facts;
      this.append({ ...this.#options.preface(), t: 'segment', format: FORMAT, salt });
      this.#setFacts({ salt, from: Math.min(...this.#segments.keys()), to: number });
    } catch (thrown) {
      // Without its preface it is no segment.
      this.close();
      this.#active = null;
      this.#segments.delete(number);
      rmSync(segment.path, { force: true });
      throw thrown;
    }
    return active;
  }

  #setFacts(facts: LogFacts): void {
    writeLogFacts(this.#dir, facts);
    this.#facts = facts;
  }
}
