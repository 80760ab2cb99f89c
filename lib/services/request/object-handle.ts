import { FsError } from '../../core/index.js';
import { principalOf, type Session } from '../../policy/index.js';
import type { AttrChange, Awaitable, FileHandle, Op, Snapshot, Stat } from '../../vfs/index.js';
import { HeldBytes } from './held-bytes.js';
import { ObjectScanner, type ScannedObject } from './object-scanner.js';
import { scanInTurns } from './scan-in-turns.js';

/** What becomes of the objects written to a control file. */
export interface ObjectSink {
  /** The largest object that is taken, in bytes. */
  readonly maxBytes: number;
  /** What a descriptor reads that has not written. */
  form(op: Op): Snapshot;
  /** The attributes of the file, were it `size` bytes long. */
  stat(op: Op, size: number): Stat;
  /**
   * Checks all objects of one write, then acts on them in order.
   * @throws FsError when nothing was started: the request is rejected.
   */
  take(objects: readonly ScannedObject[], op: Op): Awaitable<Taken>;
  /** Something was rejected; returns the error to answer with. */
  rejected(bytes: Uint8Array, error: FsError, session: Session): FsError;
  /** A duplicate of the descriptor was closed in the midst of an object. */
  incomplete(error: FsError, session: Session): void;
}

export interface Taken {
  /** What the descriptor reads from now on. */
  readonly reply: Buffer;
  /** Set when something was started and failed: the descriptor runs nothing more. */
  readonly failure: FsError | null;
}

interface Rejection {
  readonly error: FsError;
  /** Where the rejected object began, and the write that spoiled it. */
  readonly start: number;
  readonly at: number;
  readonly bytes: Buffer;
}

/**
 * A descriptor to which JSON objects are written: the write that completes an object acts on it and
 * answers with its outcome, and reads give that object's own reply.
 *
 * At most once: after a failure of something that was started, every further write gets the same errno.
 * After a rejection, the same bytes and the remainder of a split write get it too; other bytes from
 * where the rejected object began are a new attempt.
 */
export class ObjectHandle implements FileHandle {
  readonly direct = true;
  readonly #sink: ObjectSink;
  readonly #form: Snapshot;
  readonly #held: HeldBytes;
  #scanner = new ObjectScanner();
  #tail: Promise<unknown> | null = null;
  #failure: FsError | null = null;
  #rejection: Rejection | null = null;
  #objectStart = 0;
  #session: Session;
  #wrote = false;
  /** Nothing has come yet, but white space. */
  #blank = true;
  #reply: Buffer | null = null;
  /** The offset at which the reply begins for readers. */
  #replyBase = 0;
  #rewound = false;

  constructor(sink: ObjectSink, op: Op) {
    this.#sink = sink;
    this.#session = op.session;
    this.#form = sink.form(op);
    this.#held = new HeldBytes(principalOf(op.session));
  }

  stat(op: Op): Stat {
    return this.#sink.stat(op, this.#size());
  }

  /** Truncating is what `>` does before it writes: taken, without effect. */
  setattr(_change: AttrChange, op: Op): Stat {
    return this.stat(op);
  }

  read(at: number, size: number): Uint8Array {
    if (!this.#wrote) return this.#form.bytes.subarray(at, at + size);
    if (this.#reply === null) return new Uint8Array();
    if (at < this.#replyBase) this.#rewound = true;
    const from = this.#rewound ? at : at - this.#replyBase;
    return this.#reply.subarray(from, from + size);
  }

  /** Writes of one descriptor act one after the other, in the order in which they came. */
  write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    if (this.#tail === null) {
      const written = this.#writeInTurn(at, data, op);
      return written instanceof Promise ? this.#queue(written) : written;
    }
    const copy = Buffer.from(data);
    return this.#queue(this.#tail.then(() => this.#writeInTurn(at, copy, op)));
  }

  /** True in the midst of an object. */
  get needsFlush(): boolean {
    return this.#scanner.pendingBytes > 0 && this.#rejection === null;
  }

  flush(op: Op): void {
    if (!this.needsFlush) return;
    const error = this.#scanner.incomplete();
    this.#sink.incomplete(error, op.session);
    throw error;
  }

  fsync(): void {
    return undefined;
  }

  allocate(): void {
    return undefined;
  }

  release(): void {
    this.#held.set(0);
    if (!this.needsFlush) return;
    this.#sink.rejected(this.#scanner.pending(), this.#scanner.incomplete(), this.#session);
  }

  #writeInTurn(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    if (this.#failure !== null) throw this.#failure;
    if (data.length === 0) return 0;
    this.#held.require(data.length);
    this.#session = op.session;
    this.#checkRejection(at, data);
    if (this.#scanner.pendingBytes === 0) this.#objectStart = at;
    const objects = this.#scan(at, data, op);
    if (!(objects instanceof Promise)) return this.#act(objects, at, data, op);
    const copy = Buffer.from(data);
    return objects.then((found) => this.#act(found, at, copy, op));
  }

  #act(objects: readonly ScannedObject[], at: number, data: Uint8Array, op: Op): Awaitable<number> {
    this.#count();
    if (objects.length === 0) {
      if (this.#blank && endsInLineBreak(data))
        throw this.#reject(at, data, this.#sink.rejected(data, nothingButBlanks(), op.session));
      this.#after(at, data);
      return data.length;
    }
    let taken: Awaitable<Taken>;
    try {
      taken = this.#sink.take(objects, op);
    } catch (thrown) {
      throw this.#reject(at, data, FsError.from(thrown));
    }
    if (!(taken instanceof Promise)) return this.#taken(taken, at, data);
    const copy = Buffer.from(data);
    return taken.then(
      (done) => this.#taken(done, at, copy),
      (thrown: unknown) => {
        throw this.#reject(at, copy, FsError.from(thrown));
      },
    );
  }

  #queue(step: Promise<number>): Promise<number> {
    const settled = step.then(
      () => undefined,
      () => undefined,
    );
    this.#tail = settled;
    void settled.then(() => {
      if (this.#tail === settled) this.#tail = null;
    });
    return step;
  }

  #checkRejection(at: number, data: Uint8Array): void {
    const rejection = this.#rejection;
    if (rejection === null) return;
    const same = at === rejection.at && Buffer.compare(data, rejection.bytes) === 0;
    if (at !== rejection.start || same) throw rejection.error;
    this.#rejection = null;
  }

  /** What it reads of `data` after it has returned is a copy. */
  #scan(at: number, data: Uint8Array, op: Op): Awaitable<ScannedObject[]> {
    const refuse = (bytes: Uint8Array, thrown: unknown): FsError =>
      this.#reject(at, bytes, this.#sink.rejected(this.#scanner.pending(), FsError.from(thrown), op.session));
    let objects: Awaitable<ScannedObject[]>;
    try {
      objects = scanInTurns(this.#scanner, data);
    } catch (thrown) {
      throw refuse(data, thrown);
    }
    if (!(objects instanceof Promise)) return this.#sized(objects, at, data, op);
    const copy = Buffer.from(data);
    return objects.then(
      (found) => this.#sized(found, at, copy, op),
      (thrown: unknown) => {
        throw refuse(copy, thrown);
      },
    );
  }

  /** @throws FsError EFBIG where an object is too large, or will be */
  #sized(objects: ScannedObject[], at: number, data: Uint8Array, op: Op): ScannedObject[] {
    const largest = Math.max(this.#scanner.pendingBytes, ...objects.map((object) => object.bytes.length));
    if (largest > this.#sink.maxBytes) {
      const bytes = objects[0]?.bytes ?? this.#scanner.pending();
      throw this.#reject(at, data, this.#sink.rejected(bytes, tooLarge(this.#sink.maxBytes), op.session));
    }
    if (this.#scanner.pendingBytes > 0 || objects.length > 0) {
      this.#wrote = true;
      this.#blank = false;
    }
    return objects;
  }

  #reject(at: number, data: Uint8Array, error: FsError): FsError {
    this.#rejection = { error, start: this.#objectStart, at, bytes: Buffer.from(data) };
    this.#scanner = new ObjectScanner();
    this.#wrote = true;
    this.#reply = Buffer.from(
      `${JSON.stringify({ error: { errno: error.code, message: error.message, hint: error.hint ?? null } }, null, 2)}\n`,
    );
    this.#replyFrom(at);
    this.#count();
    return error;
  }

  #count(): void {
    this.#held.set(this.#scanner.pendingBytes + (this.#reply?.length ?? 0));
  }

  #taken(taken: Taken, at: number, data: Uint8Array): number {
    this.#reply = taken.reply;
    this.#count();
    this.#after(at, data);
    if (taken.failure === null) return data.length;
    this.#failure = taken.failure;
    this.#replyFrom(at);
    throw taken.failure;
  }

  #after(at: number, data: Uint8Array): void {
    this.#replyFrom(at + data.length);
  }

  /** A write that fails leaves the caller's offset where it was. */
  #replyFrom(offset: number): void {
    this.#replyBase = offset;
    this.#rewound = false;
  }

  #size(): number {
    if (!this.#wrote) return this.#form.bytes.byteLength;
    return this.#reply === null ? 0 : this.#replyBase + this.#reply.length;
  }
}

const endsInLineBreak = (data: Uint8Array): boolean => data.at(-1) === 0x0a || data.at(-1) === 0x0d;

/** What a shell writes for a variable that is not set. */
function nothingButBlanks(): FsError {
  return new FsError('EINVAL', 'The request is blank: a line without a JSON object was written.', {
    hint: 'Is a variable not set, or did the command before it print nothing? Write one JSON object.',
  });
}

function tooLarge(maxBytes: number): FsError {
  return new FsError('EFBIG', `The request is larger than the ${maxBytes} bytes that this service takes.`, {
    hint: 'The limit is max_payload_bytes in RUNTIME.json; pass large data as a file and name its path in the request.',
  });
}
