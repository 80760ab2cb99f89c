import { createHash } from 'node:crypto';
import { FsError } from '../core/index.js';
import { principalOf, type Session } from '../policy/index.js';
import { BaseFile, ReadOnlyHandle } from './bases.js';
import { newIno } from './ino.js';
import { fileStat, nsFromMs } from './stats.js';
import type { Awaitable, FileHandle, Freshness, OpenFlags, Op, Stat } from './types.js';

/** A document's content at one moment. `mtimeNs` changes when and only when `bytes` do. */
export interface Snapshot {
  readonly bytes: Uint8Array;
  readonly mtimeNs: bigint;
}

export interface DocumentOptions {
  readonly freshness?: Freshness;
  readonly ino?: bigint;
  readonly mode?: number;
}

/** A read-only file that is rendered on demand; each open descriptor shows the snapshot taken at open. */
export class Document extends BaseFile {
  readonly ino: bigint;
  override readonly freshness: Freshness;
  readonly #render: (op: Op) => Awaitable<Snapshot>;
  readonly #mode: number;

  constructor(render: (op: Op) => Awaitable<Snapshot>, options: DocumentOptions = {}) {
    super();
    this.#render = render;
    this.ino = options.ino ?? newIno();
    this.freshness = options.freshness ?? 'announced';
    this.#mode = options.mode ?? 0o444;
  }

  stat(op: Op): Awaitable<Stat> {
    const snapshot = this.#render(op);
    return snapshot instanceof Promise
      ? snapshot.then((known) => this.#statOf(known))
      : this.#statOf(snapshot);
  }

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    if (flags.write) throw new FsError('EACCES', 'This file is read-only.');
    const snapshot = this.#render(op);
    return snapshot instanceof Promise ? snapshot.then((known) => this.#open(known)) : this.#open(snapshot);
  }

  #open(snapshot: Snapshot): FileHandle {
    return new SnapshotHandle(snapshot.bytes, this.#statOf(snapshot), this.freshness === 'live');
  }

  #statOf(snapshot: Snapshot): Stat {
    return documentStat(this.ino, this.#mode, snapshot);
  }
}

export function documentStat(ino: bigint, mode: number, snapshot: Snapshot): Stat {
  return fileStat(ino, snapshot.mtimeNs, mode, snapshot.bytes.byteLength);
}

/** A descriptor over bytes that no longer change. */
export class SnapshotHandle extends ReadOnlyHandle {
  override readonly direct: boolean;
  readonly fixed = true;
  readonly holds: Uint8Array;
  readonly #stat: Stat;

  constructor(bytes: Uint8Array, stat: Stat, direct: boolean) {
    super();
    this.holds = bytes;
    this.#stat = stat;
    this.direct = direct;
  }

  stat(): Stat {
    return this.#stat;
  }

  read(at: number, size: number): Uint8Array {
    return this.holds.subarray(at, at + size);
  }
}

/**
 * Keeps the mtime of a rendered text honest: the time moves only when the bytes differ from those
 * rendered before.
 */
export class StableSnapshot {
  #last: Snapshot | undefined;

  /**
   * @param changedAtMs when the thing that it describes changed, as far as that is known
   * @param nowMs the time of a change that shows in the text alone
   */
  snapshot(bytes: Uint8Array, changedAtMs: number, nowMs = changedAtMs): Snapshot {
    const last = this.#last;
    if (last !== undefined && Buffer.compare(last.bytes, bytes) === 0) return last;
    const isDated = last === undefined || nsFromMs(changedAtMs) > last.mtimeNs;
    this.#last = { bytes, mtimeNs: nsFromMs(isDated ? changedAtMs : nowMs) };
    return this.#last;
  }
}

/** So many principals are remembered, the newest; for any other a text is as old as what it describes. */
const MAX_PRINCIPALS = 1024;

/** The same for a text that shows each principal something else: none moves another's time. */
export class StableSnapshots {
  readonly #last = new Map<string, { readonly digest: string; readonly mtimeMs: number }>();

  /**
   * @param changedAtMs when the thing that it describes changed, as far as that is known
   * @param nowMs the time of a change that shows in the text alone
   */
  snapshot(session: Session, bytes: Uint8Array, changedAtMs: number, nowMs: number): Snapshot {
    const reader = readerOf(session);
    const digest = createHash('sha1').update(bytes).digest('base64');
    const last = this.#last.get(reader);
    if (last?.digest === digest) return { bytes, mtimeNs: nsFromMs(last.mtimeMs) };
    const mtimeMs = last === undefined || changedAtMs > last.mtimeMs ? changedAtMs : nowMs;
    this.#last.delete(reader);
    this.#last.set(reader, { digest, mtimeMs });
    if (this.#last.size > MAX_PRINCIPALS) {
      const [oldest] = this.#last.keys();
      if (oldest !== undefined) this.#last.delete(oldest);
    }
    return { bytes, mtimeNs: nsFromMs(mtimeMs) };
  }
}

/** The same for sessions that see the same: one principal with the same rights. */
function readerOf(session: Session): string {
  return `${session.role} ${session.project?.verified === true} ${principalOf(session)}`;
}
