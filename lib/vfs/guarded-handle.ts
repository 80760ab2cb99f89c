import type { AttrChange, Awaitable, FileHandle, Op, Stat } from './types.js';

/**
 * An open descriptor that asks before each operation whether it is still allowed, so that a right that
 * was withdrawn is gone for what is open too. `check` throws what the caller is to see.
 */
export class GuardedHandle implements FileHandle {
  readonly direct: boolean;
  readonly readInto?: (at: number, into: Uint8Array, op: Op) => Awaitable<number>;
  readonly fixed?: boolean;
  readonly holds?: Uint8Array;
  readonly revocable?: boolean;
  readonly writesAtOnce?: boolean;
  readonly handOver?: (hand: (fd: number) => boolean, isOpenSo: boolean) => boolean;
  readonly seek?: (from: number, what: 'data' | 'hole', op: Op) => Awaitable<number>;
  readonly flush?: (op: Op) => Awaitable<void>;
  readonly #inner: FileHandle;
  readonly #check: (op: Op, writes: boolean) => void;

  constructor(inner: FileHandle, check: (op: Op, writes: boolean) => void) {
    this.#inner = inner;
    this.#check = check;
    this.direct = inner.direct;
    if (inner.readInto !== undefined) {
      this.readInto = (at, into, op) => {
        check(op, false);
        return inner.readInto!(at, into, op);
      };
    }
    if (inner.seek !== undefined) {
      this.seek = (from, what, op) => {
        check(op, false);
        return inner.seek!(from, what, op);
      };
    }
    if (inner.fixed !== undefined) this.fixed = inner.fixed;
    if (inner.holds !== undefined) this.holds = inner.holds;
    if (inner.revocable !== undefined) this.revocable = inner.revocable;
    if (inner.handOver !== undefined) this.handOver = (hand, isOpenSo) => inner.handOver!(hand, isOpenSo);
    if (inner.writesAtOnce !== undefined) this.writesAtOnce = inner.writesAtOnce;
    if (inner.flush !== undefined) this.flush = (op) => inner.flush!(op);
  }

  get needsFlush(): boolean {
    return needsFlush(this.#inner);
  }

  stat(op: Op): Awaitable<Stat> {
    this.#check(op, false);
    return this.#inner.stat(op);
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    this.#check(op, true);
    return this.#inner.setattr(change, op);
  }
  read(at: number, size: number, op: Op): Awaitable<Uint8Array> {
    this.#check(op, false);
    return this.#inner.read(at, size, op);
  }
  write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    this.#check(op, true);
    return this.#inner.write(at, data, op);
  }
  fsync(dataOnly: boolean, op: Op): Awaitable<void> {
    this.#check(op, false);
    return this.#inner.fsync(dataOnly, op);
  }
  allocate(mode: number, at: number, length: number, op: Op): Awaitable<void> {
    this.#check(op, true);
    return this.#inner.allocate(mode, at, length, op);
  }
  release(): Awaitable<void> {
    return this.#inner.release();
  }
}

/** Whether closing a duplicate of the descriptor would do or report anything now. */
export function needsFlush(handle: FileHandle): boolean {
  return handle.flush !== undefined && (handle.needsFlush ?? true);
}
