import type { BigIntStats } from 'node:fs';
import type { NodeKind, Stat } from '../../vfs/index.js';

/** What the host's stat(2) says, as the tree has it. */
export function statFromHost(stat: BigIntStats): Stat {
  const kind: NodeKind = stat.isDirectory() ? 'dir' : stat.isSymbolicLink() ? 'symlink' : 'file';
  return {
    ino: stat.ino,
    kind,
    mode: Number(stat.mode & 0o7777n),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    atimeNs: stat.atimeNs,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}
