import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, type JsonObject } from '../../../core/index.js';
import {
  AppendFile,
  readExtent,
  recordAt,
  recordFrom,
  replaceFile,
  type ByteStore,
  type Extent,
  type LogRecord,
  type Segment,
} from '../../../disk/index.js';
import { bytesFromEntry } from './entry-bytes.js';
import { GrowingTable, SortedTable, hashOfKey, type Entry, type KeyTable, type Place } from './key-table.js';
import { KeyTotals } from './key-totals.js';

export const KEYS_FORMAT = 1;
/** A segment is full when it holds so much, however few keys that are. */
const FULL_BYTES = 16 * 1024 * 1024;
/** As much is read at first of a record whose length is not known. */
const FIRST_READ_BYTES = 2048;

/** The names of a segment's files, without their ends. */
export function stemOfSegment(dir: string, number: number): string {
  return join(dir, String(number).padStart(8, '0'));
}

/** What a segment has while it takes records. */
interface Growing {
  readonly table: GrowingTable;
  readonly log: AppendFile;
  readonly entries: AppendFile;
}

/**
 * A run of the records of keys: `<n>.log` has them, as a job log has its own. Where each key lies is said once
 * more, in `<n>.entries` while the segment grows and in `<n>.index` when it is full: either of the two can be
 * lost, and no key runs again. Read as a store, it gives the results of keys.
 */
export class KeySegment implements Segment, ByteStore {
  readonly number: number;
  readonly path: string;
  size: number;
  live = 0;
  readonly totals: KeyTotals;
  readonly #stem: string;
  #table: KeyTable;
  #growing: Growing | null = null;

  constructor(dir: string, number: number, found: { size: number; table: KeyTable; totals: KeyTotals }) {
    this.number = number;
    this.#stem = stemOfSegment(dir, number);
    this.path = `${this.#stem}.log`;
    this.size = found.size;
    this.totals = found.totals;
    this.#table = found.table;
  }

  static create(dir: string, number: number, fsync: boolean): KeySegment {
    const table = new GrowingTable();
    const segment = new KeySegment(dir, number, { size: 0, table, totals: new KeyTotals() });
    const { log } = segment.grow(table, 0, fsync);
    const { record } = recordFrom({ t: 'keys', format: KEYS_FORMAT }, [], 0);
    try {
      log.append(record);
    } catch (thrown) {
      segment.close();
      rmSync(segment.path, { force: true });
      throw thrown;
    }
    segment.size = record.length;
    return segment;
  }

  isFull(keys: number): boolean {
    return this.#table.size >= keys || this.size >= FULL_BYTES;
  }

  /** From now on it takes records. `entriesSize`: of its file of entries, all of them whole. */
  grow(table: GrowingTable, entriesSize: number, fsync: boolean): Growing {
    this.#table = table;
    return (this.#growing = {
      table,
      log: new AppendFile(this.path, this.size, fsync),
      entries: new AppendFile(`${this.#stem}.entries`, entriesSize, fsync),
    });
  }

  /** @throws TypeError once it is sealed */
  #whileGrowing(): Growing {
    if (this.#growing === null) throw new TypeError('A segment of keys that is sealed takes no records.');
    return this.#growing;
  }

  /** @throws FsError when the log cannot take it; nothing has changed then. */
  append(header: JsonObject, body: Uint8Array): { extent: Extent; entry: Entry } {
    const { record, bodyAt, length } = recordFrom(header, [body], 0);
    const { log, table, entries } = this.#whileGrowing();
    const entry = entryFromHeader(header, this.size, record.length);
    if (entry === null) throw new TypeError('A record that is of no key has no place among those of keys.');
    log.append(record);
    try {
      entries.append(bytesFromEntry(entry));
    } catch {
      // The log has it: an entry that is missing is found when the log is read again.
    }
    table.add(entry);
    this.totals.count(entry);
    const extent = { segment: this, offset: this.size + bodyAt, length };
    this.size += record.length;
    return { extent, entry };
  }

  /** It takes no more: its table is written as a whole, in place of the entries. */
  seal(entries: Iterable<Entry> = this.#whileGrowing().table.entries.values()): void {
    const bytes = SortedTable.toBytes(entries);
    const header = { t: 'index', format: KEYS_FORMAT, bytes: this.size, totals: this.totals.toRows() };
    replaceFile(`${this.#stem}.index`, recordFrom(header, [bytes], 0).record);
    this.close();
    this.#growing = null;
    this.#table = new SortedTable(bytes);
    rmSync(`${this.#stem}.entries`, { force: true });
  }

  find(hash: number): Place | undefined {
    return this.#table.find(hash);
  }

  placesOf(principal: number): Place[] {
    return this.#table.placesOf(principal);
  }

  /** The record at a place; null when it is not whole. `body: false` reads, and checks, the header alone. */
  recordAt({ offset }: Place, body = true): { header: JsonObject; extent: Extent } | null {
    let fd: number;
    try {
      fd = openSync(this.path, 'r');
    } catch {
      // What cannot be read counts as damaged: the caller reports that with the path.
      return null;
    }
    try {
      const first = readSome(fd, offset, FIRST_READ_BYTES);
      const record = frameOf(first);
      if (record === null) return null;
      const whole = record.end <= first.length ? first : body ? readSome(fd, offset, record.end) : null;
      if (whole !== null && recordAt(whole, 0, 0) === null) return null;
      const { bodyAt, length, header } = record;
      return { header, extent: { segment: this, offset: offset + bodyAt, length } };
    } finally {
      closeSync(fd);
    }
  }

  read(extent: Extent, at: number, size: number): Buffer {
    return readExtent(extent, at, size);
  }

  sync(): void {
    this.#growing?.log.sync();
  }

  close(): void {
    this.#growing?.log.close();
    this.#growing?.entries.close();
  }

  remove(): void {
    this.close();
    for (const end of ['log', 'index', 'entries']) rmSync(`${this.#stem}.${end}`, { force: true });
  }
}

/** What a record says of its key; null for one that is of no key. */
export function entryFromHeader(header: JsonObject, offset: number, length: number): Entry | null {
  const { t, principal, key, at } = header;
  if (typeof principal !== 'string' || typeof key !== 'string' || typeof at !== 'number') return null;
  if (t !== 'accept' && t !== 'end') return null;
  return { ...hashOfKey(principal, key), offset, length, atMs: at, ended: t === 'end' };
}

function readSome(fd: number, from: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let done = 0;
  for (;;) {
    const count = readSync(fd, bytes, done, size - done, from + done);
    done += count;
    if (count === 0 || done === size) return bytes.subarray(0, done);
  }
}

/** A record as its header has it; its body may lie behind the end of `bytes`. */
function frameOf(bytes: Buffer): LogRecord | null {
  const headEnd = bytes.indexOf(10);
  if (headEnd === -1) return null;
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8', 9, headEnd));
    if (!isJsonObject(header) || typeof header.len !== 'number') return null;
    return { header, bodyAt: headEnd + 1, length: header.len, end: headEnd + header.len + 2 };
  } catch {
    // What cannot be read counts as damaged: the caller reports that with the path.
    return null;
  }
}
