import {
  typeBits,
  type AttrChange,
  type NodeKind,
  openFlagsFrom,
  type OpenFlags,
  type Stat,
  type StatFs,
} from '../../vfs/index.js';

const UINT32 = 0xffff_ffff;

/** What fuse-native takes as a stat: 32-bit inode numbers, times in whole milliseconds. Special files are files. */
export interface NativeStat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly ino: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

export function nativeStatFrom(
  stat: Stat,
  owner: { readonly uid: number; readonly gid: number },
): NativeStat {
  if (!Number.isSafeInteger(stat.size) || stat.size < 0)
    throw new TypeError(`A tree gave the size ${String(stat.size)}.`);
  return {
    mode: typeBits({ kind: stat.kind }) | (stat.mode & 0o7777),
    uid: stat.uid ?? owner.uid,
    gid: stat.gid ?? owner.gid,
    size: stat.size,
    nlink: stat.nlink,
    ino: foldedIno(stat.ino),
    blksize: 4096,
    blocks: stat.blocks ?? Math.ceil(stat.size / 512),
    atime: millisecondsFrom(stat.atimeNs),
    mtime: millisecondsFrom(stat.mtimeNs),
    ctime: millisecondsFrom(stat.ctimeNs),
  };
}

/** What a directory entry needs: the type and the inode number. */
export function nativeEntryStat(kind: NodeKind, ino: bigint): Partial<NativeStat> {
  return { mode: typeBits({ kind }), ino: foldedIno(ino), atime: 0, mtime: 0, ctime: 0 };
}

/**
 * 64 bits in 32, never 0 (which readdir(3) hides): the binding's structures hold no more. Numbers made by
 * `newIno` stay apart; others may, rarely, meet.
 */
export function foldedIno(ino: bigint): number {
  const folded = Number(BigInt.asUintN(32, ino ^ (ino >> 32n)));
  return folded === 0 ? UINT32 : folded;
}

/** Whole milliseconds; times before 1970 cannot be passed on. */
function millisecondsFrom(ns: bigint): number {
  return ns <= 0n ? 0 : Number(ns / 1_000_000n);
}

/** What fuse-native takes as a statvfs: all 32-bit, so large file systems are given in larger blocks. */
export function nativeStatFsFrom(stat: StatFs): Record<string, number> {
  let unit = stat.blockSize;
  let shift = 0n;
  while (stat.blocks >> shift > BigInt(UINT32)) {
    unit *= 2;
    shift += 1n;
  }
  const limited = (value: bigint): number => Number(value > BigInt(UINT32) ? BigInt(UINT32) : value);
  return {
    bsize: unit,
    frsize: unit,
    blocks: limited(stat.blocks >> shift),
    bfree: limited(stat.blocksFree >> shift),
    bavail: limited(stat.blocksAvailable >> shift),
    files: limited(stat.files),
    ffree: limited(stat.filesFree),
    favail: limited(stat.filesFree),
    namemax: stat.nameMax,
  };
}

const DARWIN_O_APPEND = 0x8;

/** open(2) flags as libfuse 2 passes them on: O_CREAT, O_EXCL and O_TRUNC never come this far. */
export function nativeOpenFlagsFrom(flags: number): OpenFlags {
  const asked = openFlagsFrom(flags);
  const append = process.platform === 'darwin' ? (flags & DARWIN_O_APPEND) !== 0 : asked.append;
  return { ...asked, append, truncate: false, exclusive: false };
}

/** A chown's arguments: -1 leaves an id as it is. */
export function ownerChangeFrom(uid: number, gid: number): AttrChange {
  return {
    ...(uid >>> 0 === UINT32 ? {} : { uid }),
    ...(gid >>> 0 === UINT32 ? {} : { gid }),
  };
}
