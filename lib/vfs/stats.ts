import type { Stat } from './types.js';

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
