import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from '../linux/index.js';
import type { Node, NodeKind, SpecialKind, Stat } from './types.js';

const KIND_BITS: Readonly<Record<NodeKind, number>> = { dir: S_IFDIR, file: S_IFREG, symlink: S_IFLNK };
const SPECIAL_BITS: Readonly<Record<SpecialKind, number>> = {
  pipe: S_IFIFO,
  socket: S_IFSOCK,
  character: S_IFCHR,
  block: S_IFBLK,
};

/** The type bits (S_IFMT) of a mode, as inode(7) has them. */
export function typeBits({ kind, special }: { kind: NodeKind; special?: SpecialKind | undefined }): number {
  return special === undefined ? KIND_BITS[kind] : SPECIAL_BITS[special];
}

/** Whether two nodes have one type: where not, they are two things, though one number after the other. */
export function isOneType(a: Node, b: Node): boolean {
  if (a.kind !== 'file' || b.kind !== 'file') return a.kind === b.kind;
  return a.special === b.special;
}

/** The attributes of a directory whose shape changed last at `timeNs`. */
export function dirStat(ino: bigint, timeNs: bigint, mode = 0o555, nlink = 2): Stat {
  return {
    ino,
    kind: 'dir',
    mode,
    nlink,
    uid: null,
    gid: null,
    size: 0,
    atimeNs: timeNs,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
  };
}

export function fileStat(ino: bigint, timeNs: bigint, mode: number, size: number): Stat {
  return {
    ino,
    kind: 'file',
    mode,
    nlink: 1,
    uid: null,
    gid: null,
    size,
    atimeNs: timeNs,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
  };
}

export function symlinkStat(ino: bigint, timeNs: bigint, target: string): Stat {
  return {
    ino,
    kind: 'symlink',
    mode: 0o777,
    nlink: 1,
    uid: null,
    gid: null,
    size: Buffer.byteLength(target),
    atimeNs: timeNs,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
  };
}

/** Nanoseconds since the epoch, from milliseconds. */
export function nsFromMs(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
