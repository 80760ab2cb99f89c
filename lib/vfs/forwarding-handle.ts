import type { AttrChange, Awaitable, FileHandle, Op, Stat } from './types.js';

/**
 * Passes all on to another descriptor, and has the optional methods that this one has: the base of what wraps
 * a descriptor, so that a new method of `FileHandle` is forwarded by all of them.
 */
export class ForwardingHandle implements FileHandle {
  protected readonly inner: FileHandle;
  readonly direct: boolean;
  readonly fixed?: boolean;
  readonly holds?: Uint8Array;
  readonly revocable?: boolean;
  readonly copiesData?: boolean;
  readInto?: FileHandle['readInto'];
  handOver?: FileHandle['handOver'];
  seek?: FileHandle['seek'];
  flush?: FileHandle['flush'];
  awaitChange?: FileHandle['awaitChange'];

  constructor(inner: FileHandle) {
    this.inner = inner;
    this.direct = inner.direct;
    if (inner.fixed !== undefined) this.fixed = inner.fixed;
    if (inner.holds !== undefined) this.holds = inner.holds;
    if (inner.revocable !== undefined) this.revocable = inner.revocable;
    if (inner.copiesData !== undefined) this.copiesData = inner.copiesData;
    this.readInto = inner.readInto?.bind(inner);
    this.handOver = inner.handOver?.bind(inner);
    this.seek = inner.seek?.bind(inner);
    this.flush = inner.flush?.bind(inner);
    this.awaitChange = inner.awaitChange?.bind(inner);
  }

  get identity(): string | undefined {
    return this.inner.identity;
  }

  get needsFlush(): boolean {
    return needsFlush(this.inner);
  }

  stat(op: Op): Awaitable<Stat> {
    return this.inner.stat(op);
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return this.inner.setattr(change, op);
  }
  read(at: number, size: number, op: Op): Awaitable<Uint8Array> {
    return this.inner.read(at, size, op);
  }
  write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    return this.inner.write(at, data, op);
  }
  fsync(dataOnly: boolean, op: Op): Awaitable<void> {
    return this.inner.fsync(dataOnly, op);
  }
  allocate(mode: number, at: number, length: number, op: Op): Awaitable<void> {
    return this.inner.allocate(mode, at, length, op);
  }
  release(): Awaitable<void> {
    return this.inner.release();
  }
}

/** Whether closing a duplicate of the descriptor would do or report anything now. */
export function needsFlush(handle: FileHandle): boolean {
  return handle.flush !== undefined && (handle.needsFlush ?? true);
}
