import type { Freshness, SpecialKind, Stat } from '../../vfs/index.js';
import type { RemoteNode } from './remote-node.js';

/** When something was asked: as of which invalidation, and over which connection. */
export interface Moment {
  readonly sequence: number;
  readonly generation: number;
}

/** What is known of a name in a directory. */
export interface Child {
  readonly number: number;
  readonly ino: bigint;
  /** The inode number as the far side said it on the connection of `generation`. */
  readonly theirs: string | undefined;
  readonly generation: number;
  readonly kind: 'dir' | 'file' | 'symlink';
  readonly special: SpecialKind | undefined;
  readonly freshness: Freshness;
  /** Absent for live files: each lookup gives a node of its own. */
  readonly node: RemoteNode | undefined;
  readonly perOpen: boolean;
  /** Known as of this cacheVersion and generation; older only helps to keep the node's identity. */
  cacheVersion: number;
  /** Of a live file: the attributes that were seen last. */
  lastKnownStat: Stat | undefined;
}
