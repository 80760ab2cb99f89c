import { FsError } from '../../core/index.js';
import type { FsReply, FsRequest } from '../../protocol/index.js';
import {
  ReadOnlyHandle,
  type AttrChange,
  type Awaitable,
  type FileHandle,
  type OpenFlags,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import type { FsAnswer } from './pending-requests.js';
import { ReadAhead, type Fetched } from './read-ahead.js';
import type { RemoteFile } from './remote-file.js';
import type { RequestOp } from './remote-session.js';
import { lostError, moreThanAsked } from '../wire/tunnel-errors.js';
import { statFromAttributes, wireFromChange } from '../wire/wire-stat.js';

/** A peer that gives less than it is asked for is asked so many times; the reader comes for the remainder. */
const MAX_TURNS = 64;
const EMPTY = new Uint8Array(0);
/** What came with the open, first bytes and attributes, is good for this long. */
const OPENED_MS = 1000;

/**
 * A descriptor over bytes that are here: a document's snapshot. When rights may have changed, or the peer
 * was away, the far side is asked once whether this session may still read it.
 */
export class RemoteSnapshot extends ReadOnlyHandle {
  override readonly direct: boolean;
  readonly fixed = true;
  readonly holds: Uint8Array;
  readonly #file: RemoteFile;
  readonly #stat: Stat;
  #provenVersion: number;
  #provenSequence: number;

  constructor(file: RemoteFile, bytes: Uint8Array, stat: Stat, direct: boolean) {
    super();
    this.#file = file;
    this.holds = bytes;
    this.#stat = stat;
    this.direct = direct;
    this.#provenVersion = file.remote.cacheVersion;
    this.#provenSequence = file.remote.sequence;
  }

  stat(op: Op): Awaitable<Stat> {
    const proof = this.#prove(op);
    return proof === undefined ? this.#stat : proof.then(() => this.#stat);
  }

  read(at: number, size: number, op: Op): Awaitable<Uint8Array> {
    const proof = this.#prove(op);
    return proof === undefined
      ? this.holds.subarray(at, at + size)
      : proof.then(() => this.holds.subarray(at, at + size));
  }

  #prove(op: Op): Promise<void> | undefined {
    const { remote } = this.#file;
    remote.notice(op.session);
    remote.checkCacheUsable();
    const { cacheVersion, sequence } = remote;
    if (!this.#file.isVoidSince(this.#provenVersion, this.#provenSequence)) return undefined;
    return this.#file.proveReadable(op).then(() => {
      this.#provenVersion = cacheVersion;
      this.#provenSequence = sequence;
    });
  }
}

/** A descriptor that is open at the far side. */
export class RemoteHandle implements FileHandle {
  readonly direct: boolean;
  readonly fixed: boolean;
  readonly holds?: Uint8Array;
  readonly seek?: (from: number, what: 'data' | 'hole', op: Op) => Promise<number>;
  readonly #file: RemoteFile;
  readonly #flags: OpenFlags;
  /** Whom it was opened as at the far side: it is read ahead, and opened again, as that user. */
  readonly #openedAs: number | undefined;
  #number: number;
  #generation: number;
  #stat: Stat | undefined;
  readonly #openedVersion: number;
  readonly #openedSequence: number;
  readonly #openedUntilMs: number;
  #inline: Fetched | undefined;
  /** Of a descriptor that nobody else changes: the attributes that came with the open. */
  #openedStat: Stat | undefined;
  #ahead: ReadAhead | undefined;
  #dataVersion: number;
  /** What the far side said with its last answer: whether a flush would do anything. */
  #needsFlush: boolean;
  #released = false;
  /** What was asked last has no known outcome: nothing more is done through this descriptor. */
  #broken: FsError | undefined;

  constructor(
    file: RemoteFile,
    { flags, op }: { readonly flags: OpenFlags; readonly op: Op },
    generation: number,
    opened: FsReply<'open'>,
    data: Uint8Array | undefined,
  ) {
    this.#file = file;
    this.#flags = flags;
    this.#openedAs = op.remoteUid;
    this.#number = opened.handle;
    this.#generation = generation;
    this.direct = opened.direct ?? true;
    this.fixed = opened.fixed ?? false;
    this.#dataVersion = file.dataVersion;
    this.#needsFlush = opened.flush ?? flags.write;
    if (file.remote.canSeek)
      this.seek = async (from, what, op) =>
        (await this.#ask('seek', { offset: from, what }, op)).payload.offset;
    this.#stat = opened.attr === undefined ? undefined : statFromAttributes(opened.attr, file.ino);
    this.#openedVersion = file.remote.cacheVersion;
    this.#openedSequence = file.remote.sequence;
    this.#openedUntilMs = performance.now() + OPENED_MS;
    if (file.perOpen) this.#openedStat = this.#stat;
    if (data !== undefined) this.holds = data;
    if (data !== undefined) this.#inline = { data, eof: opened.eof ?? false };
  }

  stat(op: Op): Awaitable<Stat> {
    if (this.#openedStat !== undefined && this.#isJustOpened(op)) return this.#openedStat;
    return this.#askStat(op);
  }

  async #askStat(op: Op): Promise<Stat> {
    const { payload } = await this.#ask('getattr', {}, op);
    return (this.#stat = statFromAttributes(payload, this.#file.ino));
  }

  async setattr(change: AttrChange, op: Op): Promise<Stat> {
    this.#openedStat = undefined;
    this.#file.touched();
    const { payload } = await this.#ask('setattr', wireFromChange(change), op);
    this.#file.touched();
    return (this.#stat = statFromAttributes(payload, this.#file.ino));
  }

  async read(at: number, size: number, op: Op): Promise<Uint8Array> {
    if (size <= 0) return EMPTY;
    const inline = this.#fromInline(at, size, op);
    if (inline !== undefined) return inline;
    if (this.direct && !this.fixed) return this.#readDirect(at, size, op);
    if (this.#dataVersion !== this.#file.dataVersion) {
      this.#dataVersion = this.#file.dataVersion;
      this.#ahead?.reset();
      this.#stat = undefined;
    }
    const opener = { session: op.session, remoteUid: this.#openedAs };
    this.#ahead ??= new ReadAhead((from, count) => this.#fetch(from, count, opener));
    return this.#ahead.read(at, size, this.#stat?.size ?? 0);
  }

  async write(at: number, data: Uint8Array, op: Op): Promise<number> {
    this.#inline = undefined;
    this.#openedStat = undefined;
    this.#file.touched();
    const most = this.#file.remote.maxWriteBytes;
    try {
      for (let done = 0; done === 0 || done < data.byteLength;) {
        const part = data.subarray(done, done + most);
        this.#needsFlush = true;
        const { payload } = await this.#ask('write', { offset: at + done }, op, part);
        this.#needsFlush = payload.flush ?? true;
        if (payload.count !== part.byteLength)
          throw new FsError('EIO', 'The far side took only a part of what was written.');
        done += part.byteLength;
        if (data.byteLength === 0) break;
      }
    } finally {
      this.#file.touched();
    }
    return data.byteLength;
  }

  /** While the connection is another one, to find that out is what a flush is for. */
  get needsFlush(): boolean {
    const isLost = this.#generation !== this.#file.remote.generation || !this.#file.remote.connected;
    return this.#flags.write && (this.#needsFlush || isLost);
  }

  flush(op: Op): Awaitable<void> {
    if (this.needsFlush) return this.#ask('flush', {}, op).then(() => undefined);
  }

  async fsync(dataOnly: boolean, op: Op): Promise<void> {
    if (this.#isLostReader()) return;
    await this.#ask('fsync', { data_only: dataOnly }, op);
  }

  async allocate(mode: number, at: number, length: number, op: Op): Promise<void> {
    this.#file.touched();
    await this.#ask('allocate', { mode, offset: at, length }, op);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#file.remote.closeHandle(this.#number, this.#generation);
  }

  /** First bytes that came with the open, while they are as good as new. */
  #fromInline(at: number, size: number, op: Op): Uint8Array | undefined {
    const inline = this.#inline;
    if (inline === undefined) return undefined;
    const { data, eof } = inline;
    const isStale = this.#dataVersion !== this.#file.dataVersion || !this.#isJustOpened(op);
    if (isStale || at >= data.byteLength) {
      this.#inline = undefined;
      return undefined;
    }
    return at + size <= data.byteLength || eof ? data.subarray(at, at + size) : undefined;
  }

  /** A moment ago, on this connection, and since then the session's rights have not changed. */
  #isJustOpened(op: Op): boolean {
    const { remote } = this.#file;
    remote.notice(op.session);
    return (
      !this.#file.isVoidSince(this.#openedVersion, this.#openedSequence) &&
      this.#generation === remote.generation &&
      performance.now() <= this.#openedUntilMs
    );
  }

  /** Live content: asked for anew each time, in as few requests as the peer's limit allows. */
  async #readDirect(at: number, size: number, op: Op): Promise<Uint8Array> {
    const most = this.#file.remote.maxReadBytes;
    const first = await this.#fetch(at, Math.min(size, most), op);
    if (first.eof || first.data.byteLength === size) return first.data;
    const parts = [first.data];
    let have = first.data.byteLength;
    for (let turns = 0; have < size && turns < MAX_TURNS; turns++) {
      const { data, eof } = await this.#fetch(at + have, Math.min(size - have, most), op);
      parts.push(data);
      have += data.byteLength;
      if (eof || data.byteLength === 0) break;
    }
    return Buffer.concat(parts, have);
  }

  async #fetch(at: number, count: number, op: RequestOp): Promise<Fetched> {
    const { payload, data } = await this.#ask('read', { offset: at, count }, op);
    if ((data?.byteLength ?? 0) > count) throw moreThanAsked();
    return { data: data ?? EMPTY, eof: payload.eof };
  }

  async #ask<Name extends 'read' | 'write' | 'getattr' | 'setattr' | 'flush' | 'fsync' | 'seek' | 'allocate'>(
    name: Name,
    payload: FsRequest<Name>,
    op: RequestOp,
    data?: Uint8Array,
  ): Promise<FsAnswer<Name>> {
    const { remote } = this.#file;
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#generation !== remote.generation) await this.#reopen(op);
    if (!this.#flags.write) return remote.request(name, { h: this.#number }, payload, op, data);
    try {
      return await remote.request(name, { h: this.#number }, payload, op, data, true);
    } catch (thrown) {
      const error = FsError.from(thrown);
      if (name === 'write' && error.code === 'EHOSTDOWN') this.#broken = error;
      throw error;
    }
  }

  /** After the connection was lost, a descriptor that only reads is opened again; any other is gone. */
  async #reopen(op: RequestOp): Promise<void> {
    const { remote } = this.#file;
    if (!remote.connected) throw lostError();
    if (this.#flags.write)
      throw new FsError('EHOSTDOWN', 'The connection was lost while this file was open for writing.', {
        hint: 'Open it again. What was written may have been carried out: see jobs/.',
      });
    const opener = { session: op.session, remoteUid: this.#openedAs };
    const again = await this.#file.openRemote(
      { ...this.#flags, truncate: false, exclusive: false },
      op.signal === undefined ? opener : { ...opener, signal: op.signal },
      0,
    );
    this.#number = again.payload.handle;
    this.#generation = again.generation;
    this.#ahead?.reset();
  }

  #isLostReader(): boolean {
    return !this.#flags.write && this.#generation !== this.#file.remote.generation;
  }
}
