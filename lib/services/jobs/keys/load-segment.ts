import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync } from 'node:fs';
import { FsError, type JsonObject, type Log, reasonOf } from '../../../core/index.js';
import { keepAside, recordAt, scanRecords } from '../../../disk/index.js';
import { ENTRY_BYTES, entriesFrom } from './entry-bytes.js';
import { KEYS_FORMAT, KeySegment, entryFromHeader, stemOfSegment } from './key-segment.js';
import { GrowingTable, SortedTable, type Entry } from './key-table.js';
import { KeyTotals } from './key-totals.js';

/** More than the first record of a segment has. */
const PREFACE_BYTES = 4096;

export interface LoadOptions {
  readonly dir: string;
  readonly number: number;
  /** Its end may be torn, and it may grow on. */
  readonly isNewest: boolean;
  readonly fsync: boolean;
  readonly log: Log;
}

/**
 * Opens a segment by its index or its entries; only what these do not say is read from the log. Each key that
 * either says is there is there, if only to say that its record is damaged.
 * @throws FsError EPROTO when a newer format wrote it.
 */
export function loadSegment(options: LoadOptions): { segment: KeySegment; grows: boolean } {
  const { dir, number, log, isNewest, fsync } = options;
  const stem = stemOfSegment(dir, number);
  const size = sizeOf(`${stem}.log`);
  const index = readOrNull(`${stem}.index`);
  const sealed = index === null ? null : recordAt(index, 0, 0);
  if (index !== null && sealed !== null) {
    checkFormat(sealed.header, stem);
    if (size < Number(sealed.header.bytes)) reportCut(log, `${stem}.log`, size, Number(sealed.header.bytes));
    const table = new SortedTable(index.subarray(sealed.bodyAt, sealed.bodyAt + sealed.length));
    const totals = KeyTotals.from(sealed.header.totals as number[][]);
    return { segment: new KeySegment(dir, number, { size, table, totals }), grows: false };
  }
  if (index !== null)
    log.error('An index of keys is damaged. It is made anew from the log beside it.', {
      file: `${stem}.index`,
    });
  const said = entriesFrom(readOrNull(`${stem}.entries`) ?? Buffer.alloc(0));
  const from = said.whole ? contiguousEnd(said.entries, stem) : null;
  const found =
    from !== null && from === size ? said.entries : scanned(options, stem, said.entries, from ?? 0);
  const table = new GrowingTable();
  const totals = new KeyTotals();
  for (const entry of found) {
    table.add(entry);
    totals.count(entry);
  }
  const segment = new KeySegment(dir, number, { size: sizeOf(`${stem}.log`), table, totals });
  // One whose entries do not follow each other up to its end takes no more.
  const grows = isNewest && said.entries.length > 0 && found === said.entries;
  if (grows) segment.grow(table, said.entries.length * ENTRY_BYTES, fsync);
  else segment.seal(table.entries.values());
  return { segment, grows };
}

/** The entries of what the log holds from `from` on, after or among those that were said. */
function scanned(options: LoadOptions, stem: string, said: readonly Entry[], from: number): Entry[] {
  const { isNewest, log } = options;
  const path = `${stem}.log`;
  const bytes = readOrNull(path) ?? Buffer.alloc(0);
  const last = Math.max(0, ...said.map(({ offset, length }) => offset + length));
  const entries = new Map(said.map((entry) => [entry.offset, entry]));
  if (from > bytes.length) {
    reportCut(log, path, bytes.length, last);
    return [...entries.values()];
  }
  const { end, rest } = scanRecords(
    bytes,
    from,
    0,
    ({ header, end }, at) => {
      if (header.t === 'keys') checkFormat(header, stem);
      const entry = entryFromHeader(header, at, end - at);
      if (entry !== null) entries.set(at, entry);
    },
    (start, stop) => reportDamage(log, path, start, stop),
  );
  if (rest === 'torn' && isNewest && end >= last) truncateSync(path, end);
  else if (rest !== 'none') reportDamage(log, path, end, bytes.length);
  if (bytes.length < last) reportCut(log, path, bytes.length, last);
  return [...entries.values()].sort((a, b) => a.offset - b.offset);
}

/** Where the last of the entries ends, if each begins where the one before ends; null otherwise. */
function contiguousEnd(entries: readonly Entry[], stem: string): number | null {
  let end = entries[0]?.offset ?? null;
  if (end === null) return null;
  const preface = recordAt(startOf(`${stem}.log`, end), 0, 0);
  if (preface?.end !== end) return null;
  checkFormat(preface.header, stem);
  for (const { offset, length } of entries) {
    if (offset !== end) return null;
    end = offset + length;
  }
  return end;
}

function reportDamage(log: Log, file: string, from: number, to: number): void {
  const kept = keepAside(file);
  log.error(
    'The log of keys is damaged. What is whole was read; the other keys are answered EIO, not run again.',
    {
      file,
      from,
      to,
      kept,
    },
  );
}

function reportCut(log: Log, file: string, size: number, expected: number): void {
  log.error('The log of keys is shorter than it was. The keys at its end are answered EIO, not run again.', {
    file,
    bytes: size,
    expected,
    kept: size === 0 ? null : keepAside(file),
  });
}

function checkFormat({ format }: JsonObject, stem: string): void {
  if (typeof format === 'number' && format <= KEYS_FORMAT) return;
  throw new FsError('EPROTO', `The keys in ${stem}.* were written by a newer version of Acheron.`, {
    hint: `This version reads formats up to ${KEYS_FORMAT}, not ${JSON.stringify(format)}. Start the newer version; nothing was changed.`,
    path: `${stem}.log`,
  });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function readOrNull(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code === 'ENOENT') return null;
    throw new FsError('EIO', `The log of keys cannot be read at ${path}: ${reasonOf(error)}.`, {
      hint: 'Make it readable, or restore it from a backup. Nothing was changed.',
      path,
      cause: error,
    });
  }
}

/** The first bytes of a file; fewer where it has fewer. */
function startOf(path: string, size: number): Buffer {
  const bytes = Buffer.alloc(Math.min(size, PREFACE_BYTES));
  try {
    const fd = openSync(path, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    // What cannot be read is read again in full by the caller, which then says why.
    return bytes.subarray(0, 0);
  }
}
