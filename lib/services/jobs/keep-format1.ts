import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { pathOfSegment, recordAt, segmentNumbers } from '../../disk/index.js';

/** More than the first record of a segment has. */
const PREFACE_BYTES = 64 * 1024;

/**
 * Keeps a job log of format 1 as it is, in `format1.bak` beside its segments, before this release adds to it.
 * Its segments change no more, so that links to them do.
 */
export function keepFormat1(dir: string): void {
  const backup = join(dir, 'format1.bak');
  const segments = segmentNumbers(dir).map((number) => pathOfSegment(dir, number));
  const [first] = segments;
  if (first === undefined || existsSync(join(dir, 'log.json')) || existsSync(backup)) return;
  if (formatOf(first) !== 1) return;
  const draft = `${backup}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  for (const path of segments) linkOrCopy(path, join(draft, basename(path)));
  renameSync(draft, backup);
}

function linkOrCopy(path: string, to: string): void {
  try {
    linkSync(path, to);
  } catch {
    // Some file systems have no hard links; why a copy fails is thrown.
    copyFileSync(path, to);
  }
}

function formatOf(path: string): unknown {
  const bytes = Buffer.alloc(PREFACE_BYTES);
  const fd = openSync(path, 'r');
  try {
    return recordAt(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)), 0, 0)?.header.format;
  } finally {
    closeSync(fd);
  }
}
