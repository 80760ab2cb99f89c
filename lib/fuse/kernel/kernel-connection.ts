import { Call } from './call.js';
import { OPCODES } from './constants.js';
import { putOutHeader } from './encode.js';
import { ECANCELED, EINTR, EINVAL, EIO, ENOSYS, Errno, EPROTO } from './errno.js';
import type { Filesystem } from './filesystem.js';
import { Interrupts } from './interrupts.js';
import { readU64, viewOf } from './layout.js';
import { type NegotiatedInit, decodeInitIn, negotiate, putInitOut } from './negotiate.js';
import { operationOf } from './operations.js';
import type { Operation } from './operations/operation.js';
import { Request } from './request.js';
import {
  fuse_batch_forget_in,
  fuse_forget_in,
  fuse_forget_one,
  fuse_interrupt_in,
  fuse_out_header,
} from './structs.js';

/** Where answers and notifications go: /dev/fuse, or a test. */
export interface Outlet {
  /**
   * Sends the first `length` bytes of `bytes`, then `payload`, as one message.
   * @returns false when the kernel no longer waits for it.
   */
  send(bytes: Buffer, length: number, payload?: Uint8Array): boolean;
}

export interface ConnectionOptions {
  /** The size of the reader's buffer, from which the largest WRITE follows. */
  readonly bufferBytes: number;
  /**
   * Hears of what a handler threw besides an `Errno`, and may name the errno to answer with; EIO, and a
   * warning of the process, unless given.
   */
  readonly onFault?: (fault: unknown, call: Call) => number | void;
  /** What `Call.signal` aborts with; an `Errno` ECANCELED unless given. */
  readonly abortReason?: () => unknown;
  /** Whether the interrupted caller `pid` really gives up; `callerGivesUp` unless given. */
  readonly givesUp?: (pid: number) => boolean;
}

const HEADER = fuse_out_header.byteLength;
/** Payloads up to this size are copied behind their header; larger ones are gathered by the kernel. */
const COPIED_PAYLOAD = 16 * 1024;

/**
 * One mount's connection to the kernel: takes requests, hands each to the filesystem, sends each
 * answer. A handler that answers at once is answered before the next request is read, and without a
 * promise.
 */
export class KernelConnection {
  readonly #fs: Filesystem;
  readonly #outlet: Outlet;
  readonly #options: ConnectionOptions;
  readonly #request = new Request();
  readonly #out = Buffer.allocUnsafeSlow(HEADER + COPIED_PAYLOAD);
  readonly #outView = viewOf(this.#out);
  readonly #pending = new Map<number, Call>();
  readonly #interrupts: Interrupts;
  /** Settles with the kernel's INIT, whether or not it led to an agreement. */
  readonly initialized: Promise<void>;
  #initialize!: () => void;
  #agreed: NegotiatedInit | undefined;
  #destroyed = false;

  constructor(fs: Filesystem, outlet: Outlet, options: ConnectionOptions) {
    this.#fs = fs;
    this.#outlet = outlet;
    this.#options = options;
    this.#interrupts = new Interrupts(
      options.abortReason ?? (() => Errno.of(ECANCELED)),
      (call) => {
        if (this.#settle(call)) this.#refuse(ECANCELED, call.unique);
      },
      options.givesUp,
    );
    this.initialized = new Promise((resolve) => (this.#initialize = resolve));
  }

  /** What INIT agreed on; undefined before. */
  get agreed(): NegotiatedInit | undefined {
    return this.#agreed;
  }

  /** Requests whose handlers have not answered yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Takes the request in the first `length` bytes of `bytes`; both may be reused when it returns.
   * @returns whether it is done with; false where a promise is to answer it.
   */
  dispatch(bytes: Buffer, length: number): boolean {
    const pending = this.#pending.size;
    this.#take(bytes, length);
    return this.#pending.size <= pending;
  }

  #take(bytes: Buffer, length: number): void {
    const request = this.#request;
    if (!request.load(bytes, length)) {
      if (length >= HEADER) this.#refuse(EIO, readU64(viewOf(bytes), 8)); // len and unique lie alike in both headers
      return;
    }
    const { opcode } = request;
    if (opcode === OPCODES.FUSE_FORGET || opcode === OPCODES.FUSE_BATCH_FORGET) return this.#forget(request);
    if (opcode === OPCODES.FUSE_INTERRUPT) return this.#interrupt(request);
    if (opcode === OPCODES.FUSE_NOTIFY_REPLY) return; // is not answered
    if (opcode === OPCODES.FUSE_INIT) return this.#init(request);
    if (this.#agreed === undefined) return this.#refuse(EIO, request.unique);
    if (opcode === OPCODES.FUSE_DESTROY) {
      this.end();
      return this.#send(HEADER, 0, request.unique);
    }
    const operation = operationOf(opcode);
    if (operation === undefined) return this.#refuse(ENOSYS, request.unique);
    if (request.end - request.start < operation.minBytes) return this.#refuse(EINVAL, request.unique);
    const call = new Call(opcode, request.unique, request.nodeid, request.uid, request.gid, request.pid);
    let result;
    try {
      result = operation.run(this.#fs, request, call);
    } catch (thrown) {
      return this.#refuse(this.#errnoOf(thrown, call), call.unique);
    }
    if (result instanceof Promise) this.#await(result, call, operation);
    else this.#answer(result, call, operation);
  }

  /** Ends what waits: every pending call is abandoned, and the filesystem hears `destroy` once. */
  end(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.abandonAll();
    this.#interrupts.end();
    this.#fs.destroy?.();
  }

  /** Interrupts all pending calls; they are answered soon. */
  abandonAll(): void {
    for (const call of [...this.#pending.values()]) this.#interrupts.abandon(call);
  }

  #await(promise: Promise<unknown>, call: Call, operation: Operation<unknown>): void {
    this.#pending.set(call.unique, call);
    promise.then(
      (result) => {
        if (this.#settle(call)) this.#answer(result, call, operation);
        else if (!(result instanceof Errno)) operation.undo?.(this.#fs, result, call);
      },
      (thrown: unknown) => {
        if (this.#settle(call)) this.#refuse(this.#errnoOf(thrown, call), call.unique);
      },
    );
  }

  /** @returns false when the call has been answered in its handler's place. */
  #settle(call: Call): boolean {
    this.#interrupts.forget(call.unique);
    return this.#pending.delete(call.unique);
  }

  #answer(result: unknown, call: Call, operation: Operation<unknown>): void {
    if (result instanceof Errno) return this.#refuse(result.errno, call.unique);
    let end = HEADER;
    let payload: Uint8Array | undefined;
    try {
      if (operation.put !== undefined) end = operation.put(this.#outView, result, HEADER);
      else if (operation.payload !== undefined) payload = bytesOf(operation.payload(result));
    } catch (fault) {
      return this.#refuse(this.#errnoOf(fault, call), call.unique);
    }
    if (!this.#sendAnswer(end, payload, call.unique)) operation.undo?.(this.#fs, result, call);
  }

  #sendAnswer(end: number, payload: Uint8Array | undefined, unique: number): boolean {
    const length = end + (payload?.byteLength ?? 0);
    putOutHeader(this.#outView, length, 0, unique);
    if (payload === undefined || payload.byteLength === 0) return this.#outlet.send(this.#out, end);
    if (payload.byteLength > COPIED_PAYLOAD) return this.#outlet.send(this.#out, end, payload);
    this.#out.set(payload, end);
    return this.#outlet.send(this.#out, length);
  }

  #refuse(errno: number, unique: number): void {
    this.#send(HEADER, -errno, unique);
  }

  #send(length: number, error: number, unique: number): void {
    putOutHeader(this.#outView, length, error, unique);
    this.#outlet.send(this.#out, length);
  }

  #errnoOf(thrown: unknown, call: Call): number {
    if (thrown instanceof Errno) return thrown.errno;
    if (this.#options.onFault !== undefined) return this.#options.onFault(thrown, call) ?? EIO;
    process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
    return EIO;
  }

  #init(request: Request): void {
    try {
      const offer = decodeInitIn(request.bytes, request.start, request.end);
      const agreed = negotiate(offer, {
        bufferBytes: this.#options.bufferBytes,
        readdirplus: this.#fs.readdirplus !== undefined,
        alwaysPlus: this.#fs.alwaysPlus === true,
        killsPrivileges: this.#fs.killsPrivileges === true,
        passesThrough: this.#fs.passesThrough === true,
        locks: this.#fs.getlk !== undefined && this.#fs.setlk !== undefined,
      });
      const end = putInitOut(this.#outView, agreed, HEADER);
      if (agreed !== 'again') {
        this.#agreed = agreed;
        this.#fs.init?.(agreed);
      }
      this.#send(end, 0, request.unique);
      if (agreed === 'again') return;
    } catch (thrown) {
      this.#refuse(thrown instanceof Errno ? thrown.errno : EPROTO, request.unique);
    }
    this.#initialize();
  }

  /** Neither kind is answered, not even when malformed. */
  #forget(r: Request): void {
    const body = r.end - r.start;
    if (r.opcode === OPCODES.FUSE_FORGET) {
      if (body >= fuse_forget_in.byteLength) this.#fs.forget?.(r.nodeid, r.u64(fuse_forget_in.at.nlookup));
      return;
    }
    if (body < fuse_batch_forget_in.byteLength) return;
    const one = fuse_forget_one;
    let at = fuse_batch_forget_in.byteLength;
    for (let left = r.u32(fuse_batch_forget_in.at.count); left > 0 && at + one.byteLength <= body; left--) {
      this.#fs.forget?.(r.u64(at + one.at.nodeid), r.u64(at + one.at.nlookup));
      at += one.byteLength;
    }
  }

  /** Is not answered. What it names has been answered already, or is pending: requests come in order. */
  #interrupt(r: Request): void {
    if (r.end - r.start < fuse_interrupt_in.byteLength) return;
    const call = this.#pending.get(r.u64(fuse_interrupt_in.at.unique));
    if (call === undefined) return;
    if (operationOf(call.opcode)?.restarts === true) this.#interrupts.abandon(call, Errno.of(EINTR));
    else this.#interrupts.add(call);
  }
}

/** Handlers in JavaScript may answer anything. */
function bytesOf(payload: unknown): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  throw new TypeError('A handler answered something else than bytes.');
}
