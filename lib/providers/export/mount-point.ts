import {
  BaseFile,
  ReadOnlyDir,
  type DirEntry,
  type FileHandle,
  type Freshness,
  type Node,
  type Stat,
} from '../../vfs/index.js';
import { isDirectory, type HostStat } from './host-stat.js';
import { beyondBorder } from './mount-border.js';

/** What an export shows where something else is mounted: that there is a directory (or file), and nothing of it. */
export function mountPoint(ino: bigint, stat: HostStat): Node {
  return isDirectory(stat) ? new MountedDir(ino, stat) : new MountedFile(ino, stat);
}

function statOf(ino: bigint, kind: 'dir' | 'file', { mtimeNs }: HostStat): Stat {
  const times = { atimeNs: mtimeNs, mtimeNs, ctimeNs: mtimeNs };
  return { ino, kind, mode: 0, nlink: 1, uid: 0, gid: 0, size: 0, ...times };
}

class MountedDir extends ReadOnlyDir {
  override readonly freshness: Freshness = 'shared';
  readonly ino: bigint;
  readonly #stat: HostStat;

  constructor(ino: bigint, stat: HostStat) {
    super();
    this.ino = ino;
    this.#stat = stat;
  }

  stat(): Stat {
    return statOf(this.ino, 'dir', this.#stat);
  }
  lookup(): Node {
    throw beyondBorder();
  }
  list(): readonly DirEntry[] {
    throw beyondBorder();
  }
}

class MountedFile extends BaseFile {
  override readonly freshness: Freshness = 'shared';
  readonly ino: bigint;
  readonly #stat: HostStat;

  constructor(ino: bigint, stat: HostStat) {
    super();
    this.ino = ino;
    this.#stat = stat;
  }

  stat(): Stat {
    return statOf(this.ino, 'file', this.#stat);
  }
  open(): FileHandle {
    throw beyondBorder();
  }
}
