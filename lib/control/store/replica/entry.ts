import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { FsError } from '../../../core/index.js';
import type { Row, SqlValue } from '../rows.js';
import type { RowChange } from './row-changes.js';

/** Of entries. What a later one has more of is left alone by us; what we could not do right we refuse. */
export const ENTRY_FORMAT = 1;
/** Shorter ones are not compressed. */
const COMPRESS_FROM = 2_048;
const PLAIN = 0;
const DEFLATED = 1;

export interface EntryFacts {
  /** The id of the entry before it: a copy that has another one went another way. */
  readonly after: string;
  /** Who wrote it. */
  readonly replica: string;
  /** The format of the database that these rows are of. */
  readonly schema: number;
  readonly changes: readonly RowChange[];
}

/** `[table, columns, [row or key…]]`: most entries have many rows of few tables. */
type Part = [table: string, columns: string[] | null, rows: WireValue[][]];
type WireValue = string | number | null | { readonly b: string };

/** Rows as an entry of the log has them: JSON, and never code. */
export function encodeEntry({ after, replica, schema, changes }: EntryFacts): Buffer {
  const parts: Part[] = [];
  for (const { table, key, row } of changes) {
    const columns = row === null ? null : Object.keys(row);
    let part = parts.at(-1);
    if (part === undefined || part[0] !== table || String(part[1]) !== String(columns))
      parts.push((part = [table, columns, []]));
    part[2].push((row === null ? key : Object.values(row)).map(toWire));
  }
  const text = Buffer.from(JSON.stringify({ format: ENTRY_FORMAT, after, replica, schema, parts }));
  return text.length < COMPRESS_FROM
    ? Buffer.concat([Buffer.of(PLAIN), text])
    : Buffer.concat([Buffer.of(DEFLATED), deflateRawSync(text, { level: 1 })]);
}

/** @throws FsError EIO for what is no entry, EINVAL for one of a later release */
export function decodeEntry(
  data: Buffer,
  keysOf: (table: string) => readonly string[] | undefined,
): EntryFacts {
  let entry: { format?: unknown; after: string; replica: string; schema: number; parts: Part[] };
  try {
    const body = data.subarray(1);
    entry = JSON.parse(String(data[0] === DEFLATED ? inflateRawSync(body) : body)) as typeof entry;
  } catch (thrown) {
    throw new FsError('EIO', 'An entry of the log is damaged.', {
      hint: 'Restore the database of the store from a backup.',
      cause: thrown,
    });
  }
  if (entry.format !== ENTRY_FORMAT)
    throw new FsError(
      'EINVAL',
      `An entry of the log has format ${String(entry.format)}; this release reads ${ENTRY_FORMAT}.`,
      {
        hint: 'Use the release that the other replicas use.',
      },
    );
  const changes = entry.parts.flatMap(([table, columns, rows]) =>
    rows.map((values): RowChange => {
      if (columns === null) return { table, key: values.map(fromWire), row: null };
      const row: Row = Object.fromEntries(
        columns.map((column, at) => [column, fromWire(values[at] ?? null)]),
      );
      return { table, key: (keysOf(table) ?? []).map((column) => row[column] ?? null), row };
    }),
  );
  return { after: entry.after, replica: entry.replica, schema: entry.schema, changes };
}

/** The database gives bytes as a Buffer, or as an ArrayBuffer. */
function toWire(value: SqlValue | ArrayBuffer): WireValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  return { b: (Buffer.isBuffer(value) ? value : Buffer.from(value)).toString('base64') };
}

function fromWire(value: WireValue): SqlValue {
  return typeof value === 'object' && value !== null ? Buffer.from(value.b, 'base64') : value;
}
