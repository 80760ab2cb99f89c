import type { Attr, AttrOut, EntryOut, OpenOut, StatfsOut } from './filesystem.js';
import { writeU64 } from './layout.js';
import {
  fuse_attr,
  fuse_attr_out,
  fuse_entry_out,
  fuse_kstatfs,
  fuse_open_out,
  fuse_out_header,
} from './structs.js';

const NS = 1_000_000_000n;

export function putOutHeader(out: Buffer, length: number, error: number, unique: number): void {
  out.writeUInt32LE(length, fuse_out_header.at.len);
  out.writeInt32LE(error, fuse_out_header.at.error);
  writeU64(out, unique, fuse_out_header.at.unique);
}

/** @returns where the struct ends, as all of these do. */
export function putAttr(out: Buffer, attr: Attr, start: number): number {
  const at = fuse_attr.at;
  out.writeBigUInt64LE(attr.ino, start + at.ino);
  writeU64(out, attr.size, start + at.size);
  writeU64(out, attr.blocks, start + at.blocks);
  putTime(out, attr.mtimeNs, start + at.mtime, start + at.mtimensec);
  if (attr.atimeNs === attr.mtimeNs) copyTime(out, start, at.atime, at.atimensec);
  else putTime(out, attr.atimeNs, start + at.atime, start + at.atimensec);
  if (attr.ctimeNs === attr.mtimeNs) copyTime(out, start, at.ctime, at.ctimensec);
  else putTime(out, attr.ctimeNs, start + at.ctime, start + at.ctimensec);
  out.writeUInt32LE(attr.mode, start + at.mode);
  out.writeUInt32LE(attr.nlink, start + at.nlink);
  out.writeUInt32LE(attr.uid, start + at.uid);
  out.writeUInt32LE(attr.gid, start + at.gid);
  out.writeUInt32LE(0, start + at.rdev);
  out.writeUInt32LE(4096, start + at.blksize);
  out.writeUInt32LE(0, start + at.flags);
  return start + fuse_attr.byteLength;
}

function putTime(out: Buffer, timeNs: bigint, secondsAt: number, nanosAt: number): void {
  let nanos = timeNs % NS;
  if (nanos < 0n) nanos += NS;
  out.writeBigInt64LE((timeNs - nanos) / NS, secondsAt);
  out.writeUInt32LE(Number(nanos), nanosAt);
}

/** Dividing a bigint is the dearest step of an answer, and the three times are mostly one. */
function copyTime(out: Buffer, start: number, secondsAt: number, nanosAt: number): void {
  const { mtime, mtimensec } = fuse_attr.at;
  out.writeUInt32LE(out.readUInt32LE(start + mtime), start + secondsAt);
  out.writeUInt32LE(out.readUInt32LE(start + mtime + 4), start + secondsAt + 4);
  out.writeUInt32LE(out.readUInt32LE(start + mtimensec), start + nanosAt);
}

/** A timeout as the header wants it: seconds and nanoseconds. */
function putValid(out: Buffer, milliseconds: number, secondsAt: number, nanosAt: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  writeU64(out, seconds, secondsAt);
  out.writeUInt32LE((milliseconds - seconds * 1000) * 1_000_000, nanosAt);
}

export function putAttrOut(out: Buffer, { attr, attrValidMs }: AttrOut, start: number): number {
  const at = fuse_attr_out.at;
  putValid(out, attrValidMs, start + at.attr_valid, start + at.attr_valid_nsec);
  out.writeUInt32LE(0, start + at.dummy);
  return putAttr(out, attr, start + at.attr);
}

export function putEntryOut(out: Buffer, entry: EntryOut, start: number): number {
  const at = fuse_entry_out.at;
  writeU64(out, entry.nodeid, start + at.nodeid);
  writeU64(out, 0, start + at.generation);
  putValid(out, entry.entryValidMs, start + at.entry_valid, start + at.entry_valid_nsec);
  putValid(out, entry.attrValidMs, start + at.attr_valid, start + at.attr_valid_nsec);
  return putAttr(out, entry.attr, start + at.attr);
}

export function putOpenOut(out: Buffer, open: OpenOut, start: number): number {
  writeU64(out, open.fh, start + fuse_open_out.at.fh);
  out.writeUInt32LE(open.openFlags, start + fuse_open_out.at.open_flags);
  out.writeUInt32LE(0, start + fuse_open_out.at.padding);
  return start + fuse_open_out.byteLength;
}

export function putStatfsOut(out: Buffer, st: StatfsOut, start: number): number {
  const at = fuse_kstatfs.at;
  out.fill(0, start, start + fuse_kstatfs.byteLength);
  out.writeBigUInt64LE(st.blocks, start + at.blocks);
  out.writeBigUInt64LE(st.bfree, start + at.bfree);
  out.writeBigUInt64LE(st.bavail, start + at.bavail);
  out.writeBigUInt64LE(st.files, start + at.files);
  out.writeBigUInt64LE(st.ffree, start + at.ffree);
  out.writeUInt32LE(st.bsize, start + at.bsize);
  out.writeUInt32LE(st.namelen, start + at.namelen);
  out.writeUInt32LE(st.bsize, start + at.frsize);
  return start + fuse_kstatfs.byteLength;
}
