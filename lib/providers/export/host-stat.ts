// Each statx(2) of an export reads these words: they are there, since the buffer has its size.
/* eslint-disable @typescript-eslint/no-non-null-assertion */
import type { BigIntStats } from 'node:fs';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/index.js';
import type { NodeKind, SpecialKind } from '../../vfs/index.js';

/** What the host knows of a file. */
export interface HostStat {
  /** Distinguishes devices; comparable only within one process. */
  readonly dev: number;
  readonly ino: bigint;
  /** S_IFMT bits. */
  readonly type: number;
  /** Permission bits (07777). */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a device: its number, as makedev(3) puts it into 32 bits. */
  readonly rdev: number;
  readonly size: number;
  readonly blocks: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** When the inode was made; it distinguishes a number that is used again from the one before. 0 where unknown. */
  readonly birthNs: bigint;
  /** The mount through which it was seen; 0 where the kernel does not say. */
  readonly mountId: number;
}

/** statx(2), since Linux 5.8. */
export const STATX_MNT_ID = 0x1000;

export function kindOf(stat: Pick<HostStat, 'type'>): NodeKind {
  return stat.type === S_IFDIR ? 'dir' : stat.type === S_IFLNK ? 'symlink' : 'file';
}

const SPECIAL = new Map<number, SpecialKind>([
  [S_IFIFO, 'pipe'],
  [S_IFSOCK, 'socket'],
  [S_IFCHR, 'character'],
  [S_IFBLK, 'block'],
]);

export function specialOf({ type }: Pick<HostStat, 'type'>): SpecialKind | undefined {
  return type === S_IFREG ? undefined : SPECIAL.get(type);
}

/** Whether the content may be another. */
export function differs(before: HostStat, after: HostStat): boolean {
  return before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs || before.size !== after.size;
}

export function isDirectory(stat: HostStat): boolean {
  return stat.type === S_IFDIR;
}

export function isRegular(stat: HostStat): boolean {
  return stat.type === S_IFREG;
}

export function hostStatFromNode(stats: BigIntStats): HostStat {
  const mode = Number(stats.mode);
  return {
    dev: Number(stats.dev),
    ino: stats.ino,
    type: mode & S_IFMT,
    mode: mode & 0o7777,
    nlink: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: Number(stats.rdev),
    size: Number(stats.size),
    blocks: Number(stats.blocks),
    atimeNs: stats.atimeNs,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    birthNs: 0n,
    mountId: 0,
  };
}

/** The bytes of one `struct statx` (statx(2)), and a way to read them. Little-endian hosts only. */
export class StatxBuffer {
  readonly bytes = Buffer.alloc(256);
  readonly #u32 = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, 64);
  readonly #i64 = new BigInt64Array(this.bytes.buffer, this.bytes.byteOffset, 32);

  stat(): HostStat {
    const u32 = this.#u32;
    const mode = u32[7]! & 0xffff;
    return {
      dev: u32[34]! * 0x100000 + u32[35]!,
      ino: BigInt.asUintN(64, this.#i64[4]!),
      type: mode & S_IFMT,
      mode: mode & 0o7777,
      nlink: u32[4]!,
      uid: u32[5]!,
      gid: u32[6]!,
      rdev: makedev(u32[32]!, u32[33]!),
      size: u32[11]! * 0x1_0000_0000 + u32[10]!,
      blocks: u32[13]! * 0x1_0000_0000 + u32[12]!,
      atimeNs: this.#time(8, 18),
      ctimeNs: this.#time(12, 26),
      mtimeNs: this.#time(14, 30),
      birthNs: this.#time(10, 22),
      mountId: (u32[0]! & STATX_MNT_ID) === 0 ? 0 : u32[36]!,
    };
  }

  #time(seconds: number, nanoseconds: number): bigint {
    return this.#i64[seconds]! * 1_000_000_000n + BigInt(this.#u32[nanoseconds]!);
  }
}

function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
