import type { Attr, AttrOut, EntryOut, Lock, OpenOut, StatfsOut } from './values.js';
import { writeU64 } from './layout.js';
import {
  fuse_attr,
  fuse_attr_out,
  fuse_entry_out,
  fuse_file_lock,
  fuse_kstatfs,
  fuse_open_out,
  fuse_out_header,
} from './structs.js';

const NS = 1_000_000_000n;

export function putOutHeader(out: DataView, length: number, error: number, unique: number): void {
  out.setUint32(fuse_out_header.at.len, length, true);
  out.setInt32(fuse_out_header.at.error, error, true);
  writeU64(out, unique, fuse_out_header.at.unique);
}

/** @returns where the struct ends, as all of these do. */
export function putAttr(out: DataView, attr: Attr, start: number): number {
  const at = fuse_attr.at;
  out.setBigUint64(start + at.ino, attr.ino, true);
  writeU64(out, attr.size, start + at.size);
  writeU64(out, attr.blocks, start + at.blocks);
  putTime(out, attr.mtimeNs, start + at.mtime, start + at.mtimensec);
  putTime(out, attr.atimeNs, start + at.atime, start + at.atimensec);
  putTime(out, attr.ctimeNs, start + at.ctime, start + at.ctimensec);
  out.setUint32(start + at.mode, attr.mode, true);
  out.setUint32(start + at.nlink, attr.nlink, true);
  out.setUint32(start + at.uid, attr.uid, true);
  out.setUint32(start + at.gid, attr.gid, true);
  out.setUint32(start + at.rdev, attr.rdev ?? 0, true);
  out.setUint32(start + at.blksize, 4096, true);
  out.setUint32(start + at.flags, 0, true);
  return start + fuse_attr.byteLength;
}

/** Dividing a bigint is the dearest step of an answer, and times come again and again: of one file, of one start. */
let lastTimeNs = 0n;
let lastSeconds = 0n;
let lastNanos = 0;

function putTime(out: DataView, timeNs: bigint, secondsAt: number, nanosAt: number): void {
  if (timeNs !== lastTimeNs) {
    let nanos = timeNs % NS;
    if (nanos < 0n) nanos += NS;
    lastSeconds = (timeNs - nanos) / NS;
    lastNanos = Number(nanos);
    lastTimeNs = timeNs;
  }
  out.setBigInt64(secondsAt, lastSeconds, true);
  out.setUint32(nanosAt, lastNanos, true);
}

/** A timeout as the header wants it: seconds and nanoseconds. */
function putValid(out: DataView, milliseconds: number, secondsAt: number, nanosAt: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  writeU64(out, seconds, secondsAt);
  out.setUint32(nanosAt, (milliseconds - seconds * 1000) * 1_000_000, true);
}

export function putAttrOut(out: DataView, { attr, attrValidMs }: AttrOut, start: number): number {
  const at = fuse_attr_out.at;
  putValid(out, attrValidMs, start + at.attr_valid, start + at.attr_valid_nsec);
  out.setUint32(start + at.dummy, 0, true);
  return putAttr(out, attr, start + at.attr);
}

export function putEntryOut(out: DataView, entry: EntryOut, start: number): number {
  const at = fuse_entry_out.at;
  writeU64(out, entry.nodeid, start + at.nodeid);
  writeU64(out, 0, start + at.generation);
  putValid(out, entry.entryValidMs, start + at.entry_valid, start + at.entry_valid_nsec);
  putValid(out, entry.attrValidMs, start + at.attr_valid, start + at.attr_valid_nsec);
  return putAttr(out, entry.attr, start + at.attr);
}

export function putOpenOut(out: DataView, open: OpenOut, start: number): number {
  writeU64(out, open.fh, start + fuse_open_out.at.fh);
  out.setUint32(start + fuse_open_out.at.open_flags, open.openFlags, true);
  out.setInt32(start + fuse_open_out.at.backing_id, open.backingId ?? 0, true);
  return start + fuse_open_out.byteLength;
}

const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** The lock that is in the way; none says that nothing is. */
export function putLock(out: DataView, lock: Lock | undefined, start: number): number {
  const at = fuse_file_lock.at;
  const type = lock === undefined ? F_UNLCK : lock.kind === 'shared' ? F_RDLCK : F_WRLCK;
  out.setBigUint64(start + at.start, lock?.start ?? 0n, true);
  out.setBigUint64(start + at.end, lock?.end ?? 0n, true);
  out.setUint32(start + at.type, type, true);
  out.setUint32(start + at.pid, lock?.pid ?? 0, true);
  return start + fuse_file_lock.byteLength;
}

export function putStatfsOut(out: DataView, st: StatfsOut, start: number): number {
  const at = fuse_kstatfs.at;
  for (let i = start; i < start + fuse_kstatfs.byteLength; i++) out.setUint8(i, 0);
  out.setBigUint64(start + at.blocks, st.blocks, true);
  out.setBigUint64(start + at.bfree, st.bfree, true);
  out.setBigUint64(start + at.bavail, st.bavail, true);
  out.setBigUint64(start + at.files, st.files, true);
  out.setBigUint64(start + at.ffree, st.ffree, true);
  out.setUint32(start + at.bsize, st.bsize, true);
  out.setUint32(start + at.namelen, st.namelen, true);
  out.setUint32(start + at.frsize, st.bsize, true);
  return start + fuse_kstatfs.byteLength;
}
