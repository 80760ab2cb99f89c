import { crc32 } from 'node:zlib';
import { isJsonObject, joinedJson, type JsonObject } from '../../core/index.js';

/**
 * A record of a log: `<checksum, 8 hex digits> <header JSON>\n<body>\n`. `len` in the header is the length of
 * the body. The checksum is the CRC-32 of header and body, xor the salt of the log: nobody who does not know
 * the salt can write bytes into a body that look like a record.
 */
export interface LogRecord {
  readonly header: JsonObject;
  /** Where its body begins, and how long that is. */
  readonly bodyAt: number;
  readonly length: number;
  /** Where the next record begins. */
  readonly end: number;
}

/** What a run of bytes turned out to hold behind the last whole record. */
export interface Scanned {
  /** Where the last whole record ends. */
  readonly end: number;
  /** `torn`: the beginning of a record whose write was cut short. */
  readonly rest: 'none' | 'torn' | 'damaged';
}

export function recordFrom(
  header: JsonObject,
  body: readonly Uint8Array[],
  salt: number,
): { record: Buffer; bodyAt: number; length: number } {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const head = `${joinedJson(header, { len: length })}\n`;
  const bodyAt = CHECKSUM_BYTES + Buffer.byteLength(head);
  const record = Buffer.allocUnsafe(bodyAt + length + 1);
  record.write(head, CHECKSUM_BYTES);
  let at = bodyAt;
  for (const part of body) {
    record.set(part, at);
    at += part.length;
  }
  record[at] = NEWLINE;
  const sum = (crc32(record.subarray(CHECKSUM_BYTES, at)) ^ salt) >>> 0;
  record.write(`${sum.toString(16).padStart(8, '0')} `, 0, 'latin1');
  return { record, bodyAt, length };
}

/** The record that begins at `at`; null where none is whole. */
export function recordAt(bytes: Buffer, at: number, salt: number): LogRecord | null {
  const record = frameAt(bytes, at);
  if (record === null || record.end > bytes.length || bytes[record.end - 1] !== NEWLINE) return null;
  return saltOf(bytes, at, record) === salt ? record : null;
}

/** Calls back for each whole record from `from` on, and for each run of bytes between them that is none. */
export function scanRecords(
  bytes: Buffer,
  from: number,
  salt: number,
  onRecord: (record: LogRecord, at: number) => void,
  onDamage: (from: number, to: number) => void,
): Scanned {
  for (let at = from; at < bytes.length;) {
    const record = recordAt(bytes, at, salt);
    if (record === null) {
      const next = nextRecord(bytes, at, salt);
      if (next === null) return { end: at, rest: isTorn(bytes, at) ? 'torn' : 'damaged' };
      onDamage(at, next);
      at = next;
    } else {
      onRecord(record, at);
      at = record.end;
    }
  }
  return { end: bytes.length, rest: 'none' };
}

const NEWLINE = 10;
/** Eight hexadecimal digits and a blank. */
const CHECKSUM_BYTES = 9;
const BLANK = 0x20;
const BRACE = 0x7b;

/** A record as its header says that it is, not checked further. */
function frameAt(bytes: Buffer, at: number): LogRecord | null {
  if (bytes[at + 8] !== BLANK || bytes[at + 9] !== BRACE) return null;
  const headEnd = bytes.indexOf(NEWLINE, at);
  if (headEnd === -1) return null;
  const header = headerFrom(bytes.toString('utf8', at + CHECKSUM_BYTES, headEnd));
  const length = header?.len;
  if (header === null || typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0)
    return null;
  return { header, bodyAt: headEnd + 1, length, end: headEnd + length + 2 };
}

function saltOf(bytes: Buffer, at: number, record: LogRecord): number | null {
  const said = bytes.toString('latin1', at, at + 8);
  if (!/^[0-9a-f]{8}$/.test(said)) return null;
  return (crc32(bytes.subarray(at + CHECKSUM_BYTES, record.end - 1)) ^ parseInt(said, 16)) >>> 0;
}

/** Where the next whole record begins: behind the damaged one as its header has it, or at the next line that is one. */
function nextRecord(bytes: Buffer, at: number, salt: number): number | null {
  const frame = frameAt(bytes, at);
  if (frame !== null && recordAt(bytes, frame.end, salt) !== null) return frame.end;
  for (let line = bytes.indexOf(NEWLINE, at); line !== -1; line = bytes.indexOf(NEWLINE, line + 1))
    if (recordAt(bytes, line + 1, salt) !== null) return line + 1;
  return null;
}

/** Whether a write that was cut short can have left these bytes at the end. */
function isTorn(bytes: Buffer, at: number): boolean {
  const frame = frameAt(bytes, at);
  if (frame !== null) return frame.end > bytes.length;
  return (
    bytes.indexOf(NEWLINE, at) === -1 &&
    /^[0-9a-f]{0,8}($| ($|\{))/.test(bytes.toString('latin1', at, at + 10))
  );
}

function headerFrom(text: string): JsonObject | null {
  try {
    const header: unknown = JSON.parse(text);
    return isJsonObject(header) ? header : null;
  } catch {
    // A record that is no JSON is a damaged one, and is reported with its place.
    return null;
  }
}
