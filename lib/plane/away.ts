import type { FsError } from '../core/index.js';
import {
  BaseFile,
  ReadOnlyDir,
  checkAccess,
  dirStat,
  fileStat,
  newIno,
  nsFromMs,
  type DirEntry,
  type FileHandle,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
} from '../vfs/index.js';

/** What is known of a thing whose content is at a node that is away. */
export interface Away {
  readonly mode: number;
  readonly seenAtMs: number;
  /** Why it cannot be opened. */
  readonly error: FsError;
}

/** @throws FsError ENOENT where the session may not know of it */
export type FindAway = (op: Op) => Away;

/** A file that is there, but cannot be asked for now: an outage is no absence. */
export class AwayFile extends BaseFile {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #find: FindAway;

  constructor(find: FindAway) {
    super();
    this.#find = find;
  }

  stat(op: Op): Stat {
    const { mode, seenAtMs } = this.#find(op);
    return fileStat(this.ino, nsFromMs(seenAtMs), mode, 0);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    checkAccess(this.stat(op), (flags.read ? 4 : 0) | (flags.write ? 2 : 0));
    throw this.#find(op).error;
  }
}

/** A directory of which nothing can be said now, not even what it lacks. */
export class AwayDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #find: FindAway;

  constructor(find: FindAway) {
    super();
    this.#find = find;
  }

  stat(op: Op): Stat {
    const { mode, seenAtMs } = this.#find(op);
    return dirStat(this.ino, nsFromMs(seenAtMs), mode);
  }

  lookup(_name: string, op: Op): Node {
    throw this.#find(op).error;
  }

  list(op: Op): readonly DirEntry[] {
    throw this.#find(op).error;
  }
}
