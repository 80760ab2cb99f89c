import { FsError } from '../core/index.js';
import { BaseFile, ReadOnlyHandle } from './bases.js';
import { newIno } from './ino.js';
import { fileStat } from './stats.js';
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
export class RenderedText {
  #last: Snapshot | undefined;

  snapshot(bytes: Uint8Array, nowMs: number): Snapshot {
    if (this.#last !== undefined && Buffer.compare(this.#last.bytes, bytes) === 0) return this.#last;
    this.#last = { bytes, mtimeNs: BigInt(nowMs) * 1_000_000n };
    return this.#last;
  }
}
