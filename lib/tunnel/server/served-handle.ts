import { FsError } from '../../core/index.js';
import type { Awaitable, FileHandle, Op } from '../../vfs/index.js';
import type { ServedOp } from './served-op.js';

/**
 * An open descriptor that a peer holds. Writes run one after the other, in the order in which they came;
 * reads run beside them. It is released once: when the peer closes it or is lost, after what runs on it
 * has ended.
 */
export class ServedHandle {
  readonly handle: FileHandle;
  /** The number of the file. */
  readonly node: number;
  readonly readable: boolean;
  readonly writable: boolean;
  #busy = 0;
  #whenIdle: (() => void)[] = [];
  #lastWrite: Promise<unknown> | undefined;
  #unflushed = false;
  #released = false;
  /** What waits for a change. */
  #awaiting: ServedOp | undefined;
  readonly #giveBack: () => void;
  /** To be called once it is released. */
  whenReleased: (() => void) | undefined;

  /** `giveBack` is called once it is released. */
  constructor(
    handle: FileHandle,
    node: number,
    how: { readonly read: boolean; readonly write: boolean },
    giveBack: () => void,
  ) {
    this.handle = handle;
    this.node = node;
    this.#giveBack = giveBack;
    this.readable = how.read;
    this.writable = how.write;
  }

  /** Runs `work` on the handle; release waits for it. */
  use<T>(work: () => Awaitable<T>): Awaitable<T> {
    this.#busy++;
    let answer: Awaitable<T>;
    try {
      answer = work();
    } catch (thrown) {
      this.#done();
      throw thrown;
    }
    if (!(answer instanceof Promise)) {
      this.#done();
      return answer;
    }
    return answer.finally(() => this.#done());
  }

  write(at: number, data: Uint8Array, op: Op): Awaitable<number> {
    this.#unflushed = true;
    return this.inOrder(() => this.handle.write(at, data, op));
  }

  /** Runs `work` after the writes that came before it. */
  inOrder<T>(work: () => Awaitable<T>): Awaitable<T> {
    return this.use(() => {
      const before = this.#lastWrite;
      const answer = before === undefined ? work() : before.then(work, work);
      if (answer instanceof Promise) {
        const mine: Promise<void> = answer.then(
          () => this.#endOfWrite(mine),
          () => this.#endOfWrite(mine),
        );
        this.#lastWrite = mine;
      }
      return answer;
    });
  }

  flush(op: Op): Awaitable<void> {
    this.#unflushed = false;
    return this.use(() => this.handle.flush?.(op));
  }

  /**
   * As `FileHandle.awaitChange`, once at a time: whoever asks again gives up what was asked before, and so does a close,
   * which it does not hold up.
   * @throws FsError EOPNOTSUPP where nobody notices
   */
  async awaitChange(from: number, op: ServedOp): Promise<boolean> {
    if (this.handle.awaitChange === undefined)
      throw new FsError('EOPNOTSUPP', 'Nobody notices changes of this file.', {
        hint: 'Look at it from time to time.',
      });
    this.#awaiting?.cancel();
    this.#awaiting = op;
    try {
      return await this.handle.awaitChange(from, op);
    } finally {
      if (this.#awaiting === op) this.#awaiting = undefined;
    }
  }

  /** Gives the descriptor back, after a flush if something was written since the last one. */
  async close(op: Op): Promise<void> {
    this.#awaiting?.cancel();
    await this.#idle();
    if (this.#released) return;
    this.#end();
    try {
      if (this.#unflushed) await this.handle.flush?.(op);
    } finally {
      await this.handle.release();
    }
  }

  /** The peer is gone: what runs goes on to its end, and a failure reaches nobody. */
  async abandon(): Promise<void> {
    await this.#idle();
    if (this.#released) return;
    await this.release();
  }

  /** Releases it though something may run on it. */
  release(): Awaitable<void> {
    if (this.#released) return;
    this.#awaiting?.cancel();
    this.#end();
    return this.handle.release();
  }

  get released(): boolean {
    return this.#released;
  }

  #end(): void {
    this.#released = true;
    this.#giveBack();
    this.whenReleased?.();
  }

  #endOfWrite(mine: Promise<unknown>): void {
    if (this.#lastWrite === mine) this.#lastWrite = undefined;
  }

  #idle(): Promise<void> {
    return this.#busy === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #done(): void {
    if (--this.#busy > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
