import { FsError } from '../../core/index.js';
import {
  shownIno,
  typeBits,
  type DirEntry,
  type Freshness,
  type Stat,
  type StatFs,
} from '../../vfs/index.js';
import type { Attr, StatfsOut } from '../kernel/index.js';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export function attrFromStat(stat: Stat, owner: Owner): Attr {
  return {
    ino: shownIno(stat.ino),
    size: stat.size,
    blocks: stat.blocks ?? Math.ceil(stat.size / 512),
    atimeNs: stat.atimeNs,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
    mode: typeBits(stat) | (stat.mode & 0o7777),
    nlink: stat.nlink,
    uid: stat.uid ?? owner.uid,
    gid: stat.gid ?? owner.gid,
    rdev: stat.rdev,
  };
}

/** DT_* of readdir(3). */
export function entryType(entry: Pick<DirEntry, 'kind' | 'special'>): number {
  return typeBits(entry) >> 12;
}

export function statfsFrom(stat: StatFs): StatfsOut {
  return {
    blocks: stat.blocks,
    bfree: stat.blocksFree,
    bavail: stat.blocksAvailable,
    files: stat.files,
    ffree: stat.filesFree,
    bsize: stat.blockSize,
    namelen: stat.nameMax,
  };
}

/** How long the kernel may keep what a node says. What is announced is kept until a `Change`. */
export const VALID_MS: Readonly<Record<Freshness, number>> = { announced: 3_600_000, live: 0, shared: 1000 };

const EAGAIN = 11;
const EBUSY = 16;
const EINTR = 4;
const ENOSYS = 38;
const EOPNOTSUPP = 95;
const ECANCELED = 125;

/**
 * Errnos that would make somebody act on their own: callers repeat what answers EINTR or EAGAIN, and the
 * kernel never again asks what answered ENOSYS.
 */
const NOT_SAID = new Map([
  [EINTR, ECANCELED],
  [EAGAIN, EBUSY],
  [ENOSYS, EOPNOTSUPP],
]);

export function errnoFromThrown(thrown: unknown): number {
  const { errno } = FsError.from(thrown);
  return NOT_SAID.get(errno) ?? errno;
}
