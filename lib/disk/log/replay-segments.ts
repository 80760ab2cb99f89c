import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { FsError, type JsonObject, type Log, reasonOf } from '../../core/index.js';
import { keepAside } from '../keep-aside.js';
import type { LogFacts } from './log-facts.js';
import { recordAt, scanRecords, type LogRecord, type Scanned } from './log-record.js';
import type { Extent, Segment } from './segment.js';

/** Segments of format 1 have no salt, and their keys are in the job log itself. */
export const FORMAT = 2;

type OnRecord = (header: JsonObject, body: Extent) => void;

export function pathOfSegment(dir: string, number: number): string {
  return join(dir, `${String(number).padStart(8, '0')}.log`);
}

/** The numbers of the segments that are there, oldest first. */
export function segmentNumbers(dir: string): number[] {
  try {
    return readdirSync(dir)
      .flatMap((name) => /^(\d{8})\.log$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code === 'ENOENT') return [];
    throw unreadable(dir, error);
  }
}

/** Reads all whole records of a log, oldest first, and reports to `log` all that is none. */
export function replaySegments(dir: string, facts: LogFacts, log: Log, onRecord: OnRecord): Segment[] {
  const numbers = segmentNumbers(dir);
  const newest = Math.max(facts.to, numbers.at(-1) ?? 0);
  const missing = gapsIn(numbers, facts.to === 0 ? (numbers[0] ?? 1) : facts.from, newest);
  for (const number of missing) {
    log.error('A file of the job log is missing: the jobs that it held are lost, but no key is.', {
      file: pathOfSegment(dir, number),
    });
  }
  return numbers.flatMap((number) => {
    if (number > facts.to && number === numbers.at(-1) && removeUnbegun(dir, number)) return [];
    const segment = { number, path: pathOfSegment(dir, number), size: 0, live: 0 };
    replaySegment(segment, facts.salt, number === newest, log, onRecord);
    return [segment];
  });
}

/** A kill can come between the making of the newest segment and its first record. */
function removeUnbegun(dir: string, number: number): boolean {
  const path = pathOfSegment(dir, number);
  const { size } = statSync(path);
  if (size === 0) unlinkSync(path);
  return size === 0;
}

function replaySegment(
  segment: Segment,
  salt: number,
  isNewest: boolean,
  log: Log,
  onRecord: OnRecord,
): void {
  const bytes = bytesOf(segment.path);
  segment.size = bytes.length;
  const found = ({ header, bodyAt, length }: LogRecord): void =>
    onRecord(header, { segment, offset: bodyAt, length });
  const damaged = (from: number, to: number): void => {
    const kept = keepAside(segment.path);
    log.error('A file of the job log is damaged. What is whole in it was read.', {
      file: segment.path,
      from,
      to,
      jobs: [...new Set(bytes.toString('latin1', from, to).match(ID) ?? [])].slice(0, 20),
      kept,
    });
  };
  if (bytes.length === 0) return damaged(0, 0);
  const { end, rest } = scanSegment(segment.path, bytes, salt, found, damaged);
  if (rest === 'none') return;
  if (rest === 'torn' && isNewest) {
    log.warn('The end of a job log was being written when the node stopped; it was cut off.', {
      file: segment.path,
      offset: end,
      bytes: bytes.length - end,
    });
    truncate(segment.path, end);
    segment.size = end;
  } else damaged(end, bytes.length);
}

/** An invocation id in a header. */
const ID = /(?<="id":")[A-Za-z0-9._-]+(?=")/g;

function scanSegment(
  path: string,
  bytes: Buffer,
  salt: number,
  onRecord: (record: LogRecord) => void,
  onDamage: (from: number, to: number) => void,
): Scanned {
  const preface = recordAt(bytes, 0, 0);
  if (preface !== null) {
    const format = checkFormat(preface.header, path);
    onRecord(preface);
    const own = format === 1 ? 0 : Number(preface.header.salt);
    return scanRecords(bytes, preface.end, own, onRecord, onDamage);
  }
  return scanRecords(bytes, 0, salt, onRecord, onDamage);
}

function gapsIn(numbers: readonly number[], from: number, to: number): number[] {
  const there = new Set(numbers);
  const gaps: number[] = [];
  for (let number = from; number <= to && gaps.length < 100; number++)
    if (!there.has(number)) gaps.push(number);
  return gaps;
}

function checkFormat(header: JsonObject, path: string): number {
  if (typeof header.format === 'number' && header.format <= FORMAT) return header.format;
  throw new FsError(
    'EPROTO',
    `The jobs in ${path} were written by a newer version of Acheron (format ${JSON.stringify(header.format)}).`,
    {
      hint: `This version reads formats up to ${FORMAT}. Start the newer version; nothing was changed.`,
      path,
    },
  );
}

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw unreadable(path, FsError.from(thrown));
  }
}

function unreadable(path: string, error: FsError): FsError {
  return new FsError('EIO', `The job log cannot be read at ${path}: ${reasonOf(error)}.`, {
    hint: 'Make it readable, or move it away: what it holds is not known then. Nothing was changed.',
    path,
    cause: error,
  });
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
