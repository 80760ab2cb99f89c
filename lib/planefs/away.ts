import { FsError } from '../core/index.js';
import {
  BaseFile,
  ReadOnlyDir,
  SnapshotHandle,
  checkAccess,
  dirStat,
  fileStat,
  newIno,
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
  readonly timeNs: bigint;
  /** Why it cannot be asked for. */
  readonly error: FsError;
  /** What can be read of it all the same. */
  readonly form?: Uint8Array;
}

/** @throws FsError ENOENT where the session may not know of it */
export type FindAway = (op: Op) => Away;

export function offlineError(nodeId: string): FsError {
  return new FsError('EHOSTDOWN', `Node ${nodeId} is not connected.`, {
    hint:
      'Its descriptors can still be read. It comes back by itself; nothing has to be mounted again. The outcome ' +
      'of a call that was running is found under jobs/ then (jobs/by-key/KEY where it had a _key).',
  });
}

/** It is connected elsewhere, and there is no way to where. */
export function unreachableError(nodeId: string): FsError {
  return new FsError(
    'EHOSTDOWN',
    `Node ${nodeId} is connected to another replica, which does not answer this one.`,
    {
      hint:
        'It is asked again with each request. At the other replica the node may be reached; an admin finds out why these two do not ' +
        'reach each other in the log, and by acheron_control_relay_failures_total.',
    },
  );
}

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
    const { mode, timeNs, form } = this.#find(op);
    return fileStat(this.ino, timeNs, mode, form?.byteLength ?? 0);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    const { form, error } = this.#find(op);
    checkAccess(this.stat(op), (flags.read ? 4 : 0) | (flags.write ? 2 : 0));
    if (form === undefined || flags.write) throw error;
    return new SnapshotHandle(form, this.stat(op), true);
  }
}

/** A directory of which nothing can be said now, not even what it lacks. */
export class AwayDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness;
  readonly #find: FindAway;

  constructor(find: FindAway, freshness: Freshness = 'live') {
    super();
    this.#find = find;
    this.freshness = freshness;
  }

  stat(op: Op): Stat {
    const { mode, timeNs } = this.#find(op);
    return dirStat(this.ino, timeNs, mode);
  }

  lookup(_name: string, op: Op): Node {
    throw this.#find(op).error;
  }

  list(op: Op): readonly DirEntry[] {
    throw this.#find(op).error;
  }
}
