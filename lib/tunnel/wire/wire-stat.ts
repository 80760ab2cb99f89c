import { FsError } from '../../core/index.js';
import type { WireAttributes } from '../../protocol/index.js';
import {
  openFlagsFrom,
  type AttrChange,
  type Freshness,
  type OpenFlags,
  type Stat,
  type StatFs,
} from '../../vfs/index.js';
import type { FsReply, FsRequest } from '../../protocol/index.js';

/** What `stat` says, as attributes on the wire. */
export function attributesFromStat(stat: Stat, freshness: Freshness): WireAttributes {
  const read = (stat.mode & 0o400) !== 0;
  const write = (stat.mode & 0o200) !== 0;
  return {
    kind: stat.kind,
    ...(stat.special === undefined ? {} : { special: stat.special, rdev: stat.rdev ?? 0 }),
    size: stat.size,
    mode: read ? (write ? 'rw' : 'r') : write ? 'w' : '',
    perm: stat.mode,
    ino: String(stat.ino),
    nlink: stat.nlink,
    uid: stat.uid,
    gid: stat.gid,
    ...(stat.blocks === undefined ? {} : { blocks: stat.blocks }),
    atime_ns: String(stat.atimeNs),
    mtime_ns: String(stat.mtimeNs),
    ctime_ns: String(stat.ctimeNs),
    freshness,
  };
}

/** The reverse; what a sparing peer left out is made up sensibly. `ino` is our number for the node. */
export function statFromAttributes(wire: WireAttributes, ino: bigint): Stat {
  const mtimeNs = BigInt(wire.mtime_ns ?? 0);
  const perm =
    wire.perm ??
    (wire.mode.includes('r') ? 0o444 : 0) |
      (wire.mode.includes('w') ? 0o200 : 0) |
      (wire.kind === 'dir' ? 0o111 : 0);
  return {
    ino,
    kind: wire.kind,
    ...(wire.special === undefined ? {} : { special: wire.special, rdev: wire.rdev ?? 0 }),
    mode: perm & 0o7777,
    nlink: wire.nlink ?? 1,
    uid: wire.uid ?? null,
    gid: wire.gid ?? null,
    size: wire.size,
    ...(wire.blocks === undefined ? {} : { blocks: wire.blocks }),
    atimeNs: BigInt(wire.atime_ns ?? mtimeNs),
    mtimeNs,
    ctimeNs: BigInt(wire.ctime_ns ?? mtimeNs),
  };
}

export function changeFromWire(wire: FsRequest<'setattr'>): AttrChange {
  const time = (value: string | undefined): bigint | 'now' | undefined =>
    value === undefined || value === 'now' ? value : BigInt(value);
  const atimeNs = time(wire.atime_ns);
  const mtimeNs = time(wire.mtime_ns);
  return {
    ...(wire.perm === undefined ? {} : { mode: wire.perm & 0o7777 }),
    ...(wire.uid === undefined ? {} : { uid: wire.uid }),
    ...(wire.gid === undefined ? {} : { gid: wire.gid }),
    ...(wire.size === undefined ? {} : { size: wire.size }),
    ...(atimeNs === undefined ? {} : { atimeNs }),
    ...(mtimeNs === undefined ? {} : { mtimeNs }),
  };
}

/** @throws FsError EFBIG for a size that no file can have and no JSON number can hold */
export function wireFromChange(change: AttrChange): FsRequest<'setattr'> {
  const { mode, uid, gid, size, atimeNs, mtimeNs } = change;
  if (size !== undefined && !Number.isSafeInteger(size))
    throw new FsError('EFBIG', 'No file can be that large.');
  return {
    ...(mode === undefined ? {} : { perm: mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(size === undefined ? {} : { size }),
    ...(atimeNs === undefined ? {} : { atime_ns: String(atimeNs) }),
    ...(mtimeNs === undefined ? {} : { mtime_ns: String(mtimeNs) }),
  };
}

export function wireFromStatFs(stat: StatFs): FsReply<'statfs'> {
  return {
    block_size: stat.blockSize,
    blocks: String(stat.blocks),
    blocks_free: String(stat.blocksFree),
    blocks_available: String(stat.blocksAvailable),
    files: String(stat.files),
    files_free: String(stat.filesFree),
    name_max: stat.nameMax,
  };
}

export function statFsFromWire(wire: FsReply<'statfs'>): StatFs {
  return {
    blockSize: wire.block_size,
    blocks: BigInt(wire.blocks),
    blocksFree: BigInt(wire.blocks_free),
    blocksAvailable: BigInt(wire.blocks_available),
    files: BigInt(wire.files),
    filesFree: BigInt(wire.files_free),
    nameMax: wire.name_max,
  };
}

/** What a request to open asks for; a `mode` wins over the access of `flags` (open(2), in Linux's numbers). */
export function openFlagsFromWire(wire: {
  readonly mode?: 'r' | 'w' | 'rw' | undefined;
  readonly flags?: number | undefined;
}): OpenFlags {
  const asked = openFlagsFrom(wire.flags ?? 0);
  const { mode } = wire;
  return mode === undefined ? asked : { ...asked, read: mode.includes('r'), write: mode.includes('w') };
}

export function modeOfOpenFlags(flags: OpenFlags): 'r' | 'w' | 'rw' {
  return flags.read ? (flags.write ? 'rw' : 'r') : 'w';
}
