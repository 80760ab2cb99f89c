import { ForwardingHandle } from './forwarding-handle.js';
import type { AttrChange, Awaitable, FileHandle, Op, Stat } from './types.js';

/**
 * An open descriptor that asks before each operation whether it is still allowed, so that a right that
 * was withdrawn is gone for what is open too. `check` throws what the caller is to see.
 */
export class GuardedHandle extends ForwardingHandle {
  readonly #check: (op: Op, writes: boolean) => void;

  constructor(inner: FileHandle, check: (op: Op, writes: boolean) => void) {
    super(inner);
    this.#check = check;
    const { readInto, seek, awaitChange } = this;
    if (readInto !== undefined) {
      this.readInto = (at, into, op) => {
        check(op, false);
        return readInto(at, into, op);
      };
    }
    if (seek !== undefined) {
      this.seek = (from, what, op) => {
        check(op, false);
        return seek(from, what, op);
      };
    }
    if (awaitChange !== undefined) {
      this.awaitChange = (from, op) => {
        check(op, false);
        return awaitChange(from, op);
      };
    }
  }

  override stat(op: Op): Awaitable<Stat> {
    this.#check(op, false);
    return super.stat(op);
  }
  override setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    this.#check(op, true);
    return super.setattr(change, op);
  }
  override read(at: number, size: number, op: Op): Awaitable<Uint8Array> {
    this.#check(op, false);
    return super.read(at, size, op);
  }
  override write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    this.#check(op, true);
    return super.write(at, data, op);
  }
  override fsync(dataOnly: boolean, op: Op): Awaitable<void> {
    this.#check(op, false);
    return super.fsync(dataOnly, op);
  }
  override allocate(mode: number, at: number, length: number, op: Op): Awaitable<void> {
    this.#check(op, true);
    return super.allocate(mode, at, length, op);
  }
}
