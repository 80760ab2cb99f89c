import { FsError, lendBytes, type Lent } from '../../core/index.js';
import type { FsReply, FsRequest } from '../../protocol/index.js';
import type { AttrChange, Awaitable, FileHandle, OpenFlags, Op, Stat } from '../../vfs/index.js';
import type { FsClient } from './fs-client.js';
import {
  EMPTY,
  LOOKED_AT_BYTES,
  MAX_TURNS,
  OPENED_MS,
  WORTH_RUNNING_AHEAD_BYTES,
  type HandleRequest,
} from './handle-limits.js';
import { openAgain } from './open-again.js';
import type { FsAnswer } from './pending-requests.js';
import { ReadAhead, type Fetched } from './read-ahead.js';
import type { RemoteFile } from './remote-file.js';
import type { RequestOp } from './remote-session.js';
import { lostError, lostWriterError, moreThanAsked } from '../wire/tunnel-errors.js';
import { statFromAttributes, wireFromChange } from '../wire/wire-stat.js';

/**
 * A descriptor that is open at the far side. What is written to an ordinary file is answered at once, within a window,
 * and carried out in order; what fails then is reported by the next write, flush or fsync.
 */
export class RemoteHandle implements FileHandle {
  readonly copiesData = true;
  readonly direct: boolean;
  readonly fixed: boolean;
  readonly holds?: Uint8Array;
  readonly identity: string | undefined;
  readonly seek?: (from: number, what: 'data' | 'hole', op: Op) => Promise<number>;
  readonly awaitChange?: (from: number, op: Op) => Promise<boolean>;
  readonly #file: RemoteFile;
  readonly #flags: OpenFlags;
  /** Whom it was opened as at the far side: it is read ahead, and opened again, as that user. */
  readonly #openedAs: number | undefined;
  #number: number;
  #generation: number;
  readonly #link: FsClient | undefined;
  #stat: Stat | undefined;
  readonly #openedVersion: number;
  readonly #openedSequence: number;
  readonly #openedUntilMs: number;
  #inline: Fetched | undefined;
  /** Of a descriptor that nobody else changes: the attributes that came with the open. */
  #openedStat: Stat | undefined;
  /** Whoever opens it looks at once at the attributes that came with it. */
  #openedFor: Op | undefined;
  #ahead: ReadAhead | undefined;
  #dataVersion: number;
  /** What the far side said with its last answer: whether a flush would do anything. */
  #needsFlush: boolean;
  #released = false;
  #hasWritten = false;
  /** What was asked last has no known outcome: nothing more is done through this descriptor. */
  #broken: FsError | undefined;
  /** What failed after it was answered, and nobody has heard of. */
  #unreported: FsError | undefined;
  /** As of then, the session had the right to write. */
  #writableVersion: number;
  #writableSequence: number;

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
    this.identity = opened.identity;
    this.#dataVersion = file.dataVersion;
    this.#needsFlush = opened.flush ?? flags.write;
    if (file.remote.canSeek)
      this.seek = async (from, what, op) =>
        (await this.#ask('seek', { offset: from, what }, op)).payload.offset;
    if (file.remote.canAwait)
      this.awaitChange = async (from, op) => (await this.#ask('await', { offset: from }, op)).payload.changed;
    this.#stat = opened.attr === undefined ? undefined : statFromAttributes(opened.attr, file.ino);
    this.#openedVersion = file.remote.cacheVersion;
    this.#openedSequence = file.remote.sequence;
    this.#openedUntilMs = performance.now() + OPENED_MS;
    this.#writableVersion = this.#openedVersion;
    this.#writableSequence = this.#openedSequence;
    if (file.perOpen) this.#openedStat = this.#stat;
    this.#openedFor = op;
    // What is open for writing stays with the connection that it was opened on.
    if (flags.write) this.#link = file.remote.host.linkOf(generation);
    this.#link?.enter();
    if (data !== undefined) this.holds = data;
    if (data !== undefined) this.#inline = { data, eof: opened.eof ?? false };
  }

  stat(op: Op): Awaitable<Stat> {
    if (this.#openedStat !== undefined && this.#isJustOpened(op)) return this.#openedStat;
    const isOpening = this.#openedFor === op && this.#openedSequence === this.#file.remote.sequence;
    this.#openedFor = undefined;
    return isOpening && this.#stat !== undefined ? this.#stat : this.#askStat(op);
  }

  async #askStat(op: Op): Promise<Stat> {
    const file = this.#file;
    const { sequence } = file.remote;
    const { payload } = await this.#ask('getattr', {}, op);
    const stat = (this.#stat = statFromAttributes(payload, file.ino));
    if (file.freshness === 'shared' && this.#openedAs === undefined) file.remember(stat, sequence, op);
    return stat;
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

  write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    this.#inline = undefined;
    this.#openedStat = undefined;
    this.#report();
    const kept = lendBytes(data.byteLength);
    kept.bytes.set(data);
    // Of two descriptors, a control plane in between keeps each one's writes in order, but not one's behind the other's.
    const others = this.#file.remote.writes.ofOthers(this.#file, this);
    return others === undefined ? this.#write(at, kept, op) : others.then(() => this.#write(at, kept, op));
  }

  #write(at: number, kept: Lent, op: Op): Awaitable<number> {
    const { byteLength } = kept.bytes;
    if (!this.#mayRunAhead(byteLength, op)) return this.#writeThrough(at, kept, op);
    const { writes } = this.#file.remote;
    const room = writes.take(byteLength);
    if (room === undefined) return this.#runAhead(at, kept, op);
    return room.then(() => {
      if (this.#mayRunAhead(byteLength, op)) return this.#runAhead(at, kept, op);
      writes.giveBack(byteLength);
      return this.#writeThrough(at, kept, op);
    });
  }

  /**
   * Where nothing speaks against it that it can be carried out: for who may have lost the right since, for O_SYNC, and for
   * what is no ordinary file, the far side answers first.
   */
  #mayRunAhead(bytes: number, { session }: Op): boolean {
    const { remote, freshness } = this.#file;
    remote.notice(session);
    return (
      freshness === 'shared' &&
      !this.direct &&
      this.#flags.sync !== true &&
      this.#broken === undefined &&
      // An answer that is on its way with attributes of before the write must not come after the write's.
      remote.asking === 0 &&
      remote.connected &&
      this.#generation === remote.generation &&
      bytes <= remote.maxWriteBytes &&
      bytes >= (remote.host.relayed ? WORTH_RUNNING_AHEAD_BYTES : 1) &&
      !this.#file.isVoidSince(this.#writableVersion, this.#writableSequence)
    );
  }

  #runAhead(at: number, kept: Lent, { session, origin, remoteUid }: Op): number {
    const file = this.#file;
    const { byteLength } = kept.bytes;
    const answered = this.#writeThrough(at, kept, { session, origin, remoteUid }).then(
      () => undefined,
      (thrown: unknown) => {
        this.#unreported ??= FsError.from(thrown);
      },
    );
    file.remote.writes.add(file, this, byteLength, answered);
    return byteLength;
  }

  /** @throws FsError what failed after it was answered; once */
  #report(): void {
    const failed = this.#unreported;
    this.#unreported = undefined;
    if (failed !== undefined) throw failed;
  }

  async #writeThrough(at: number, { bytes: data, giveBack }: Lent, op: RequestOp): Promise<number> {
    this.#file.touched();
    const { remote } = this.#file;
    const { cacheVersion, sequence } = remote;
    const most = remote.maxWriteBytes;
    const attr = !this.#hasWritten && data.byteLength <= LOOKED_AT_BYTES && this.#file.freshness === 'shared';
    this.#hasWritten = true;
    let seen: FsReply<'write'>['attr'];
    try {
      for (let done = 0; done === 0 || done < data.byteLength;) {
        const part = data.byteLength <= most ? data : data.subarray(done, done + most);
        this.#needsFlush = true;
        const { traceparent } = op;
        const asked = {
          offset: at + done,
          ...(attr ? { attr } : {}),
          ...(traceparent === undefined ? {} : { traceparent }),
        };
        const { payload } = await this.#ask('write', asked, op, part, part === data ? giveBack : undefined);
        this.#needsFlush = payload.flush ?? true;
        if (payload.count !== part.byteLength)
          throw new FsError('EIO', 'The far side took only a part of what was written.');
        done += part.byteLength;
        seen = payload.attr;
        if (data.byteLength === 0) break;
      }
      this.#writableVersion = cacheVersion;
      this.#writableSequence = sequence;
    } finally {
      const isLast = this.#file.invalidSequence === sequence;
      this.#file.touched();
      if (isLast && seen !== undefined && op.remoteUid === undefined)
        this.#file.remember(statFromAttributes(seen, this.#file.ino), remote.sequence, op);
    }
    return data.byteLength;
  }

  /** While the connection is another one, to find that out is what a flush is for. */
  get needsFlush(): boolean {
    const { remote } = this.#file;
    const isLost = remote.host.linkOf(this.#generation) === undefined || this.#broken !== undefined;
    const isUnsure = this.#unreported !== undefined || remote.writes.has(this.#file);
    return this.#flags.write && (this.#needsFlush || isLost || isUnsure);
  }

  flush(op: Op): Awaitable<void> {
    if (this.needsFlush) return this.#flush(op);
  }

  async #flush(op: Op): Promise<void> {
    await this.#file.remote.writes.of(this.#file);
    this.#report();
    if (this.needsFlush) await this.#ask('flush', {}, op);
  }

  async fsync(dataOnly: boolean, op: Op): Promise<void> {
    if (this.#isLostReader()) return;
    await this.#file.remote.writes.of(this.#file);
    this.#report();
    await this.#ask('fsync', { data_only: dataOnly }, op);
  }

  async allocate(mode: number, at: number, length: number, op: Op): Promise<void> {
    this.#file.touched();
    await this.#ask('allocate', { mode, offset: at, length }, op);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { remote } = this.#file;
    const isIdle = !this.#flags.write && this.#file.freshness === 'shared';
    const close = (): void => {
      remote.closeHandle(this.#number, this.#generation, isIdle);
      this.#link?.leave();
    };
    const written = remote.writes.of(this.#file);
    if (written === undefined) close();
    else void written.then(close);
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

  async #ask<Name extends HandleRequest>(
    name: Name,
    payload: FsRequest<Name>,
    op: RequestOp,
    data?: Uint8Array,
    onSpent?: () => void,
  ): Promise<FsAnswer<Name>> {
    const { remote } = this.#file;
    const written = name === 'write' ? undefined : remote.writes.of(this.#file);
    if (written !== undefined) await written;
    if (this.#broken !== undefined) throw this.#broken;
    if (!this.#flags.write) return this.#askReader(name, payload, op);
    const over = remote.host.linkOf(this.#generation);
    if (over === undefined) throw remote.connected ? lostWriterError() : lostError();
    try {
      return await remote.request(name, { h: this.#number }, payload, op, data, true, onSpent, over);
    } catch (thrown) {
      const error = FsError.from(thrown);
      if (name === 'write' && error.code === 'EHOSTDOWN') this.#broken = error;
      throw error;
    }
  }

  /** Over the connection that it was opened on; where that is lost, over the next one, opened again. */
  async #askReader<Name extends HandleRequest>(
    name: Name,
    payload: FsRequest<Name>,
    op: RequestOp,
  ): Promise<FsAnswer<Name>> {
    const { remote } = this.#file;
    const ask = async (): Promise<FsAnswer<Name>> => {
      const over = remote.host.linkOf(this.#generation);
      if (over !== undefined)
        return remote.request(name, { h: this.#number }, payload, op, undefined, false, undefined, over);
      await this.#reopen(op);
      return remote.request(name, { h: this.#number }, payload, op);
    };
    const { client } = remote.host;
    const generation = this.#generation;
    const over = remote.host.linkOf(generation);
    try {
      return await ask();
    } catch (thrown) {
      const isOther = remote.host.client !== client || remote.host.linkOf(generation) !== over;
      const isLost = FsError.from(thrown).code === 'EHOSTDOWN' && isOther;
      if (!isLost || remote.host.patienceMs === 0 || name === 'setattr') throw thrown;
      await remote.host.whenConnected(op.signal);
      return ask();
    }
  }

  /** After the connection was lost, a descriptor that only reads is opened again; any other is gone. */
  async #reopen(op: RequestOp): Promise<void> {
    const { remote } = this.#file;
    if (!remote.connected) await remote.host.whenConnected(op.signal);
    const { session, signal } = op;
    const opener = { session, remoteUid: this.#openedAs, ...(signal === undefined ? {} : { signal }) };
    const how = { ...this.#flags, truncate: false, exclusive: false };
    const open = (): Promise<FsAnswer<'open'>> => this.#file.openRemote(how, opener, 0);
    const again = await openAgain(open, remote, this.identity);
    this.#number = again.payload.handle;
    this.#generation = again.generation;
    this.#ahead?.reset();
  }

  #isLostReader(): boolean {
    return !this.#flags.write && this.#generation !== this.#file.remote.generation;
  }
}
