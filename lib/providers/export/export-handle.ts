import { createHash } from 'node:crypto';
import { closeSync, fdatasync, fsync, ftruncateSync, read as readAsync, writeSync } from 'node:fs';
import { FsError } from '../../core/index.js';
import type { AttrChange, Awaitable, FileHandle, Op, Stat } from '../../vfs/index.js';
import type { ExportFile } from './export-file.js';
import { applyChange, changesNothing, checkedSize, dropSetId } from './export-node.js';
import type { ExportState } from './export-state.js';
import { hostErrorFrom } from './host-error.js';
import { differs, type HostStat } from './host-stat.js';
import { pathOfFd } from './host-tree.js';
import { checkRemoteChange } from './identity.js';

const SET_ID_BITS = 0o6000;
/** Up to this many bytes are read through the mount's own page cache. */
const SMALL_BYTES = 64 * 1024;
/** Up to this many bytes are a part of memory that Node shares out: memory of its own costs more than such a read. */
const POOLED_BYTES = 4 * 1024;

/** An open file of the host. What the page cache holds is read at once; what would wait, on the thread pool. */
export class ExportHandle implements FileHandle {
  readonly direct = false;
  readonly copiesData = true;
  readonly seek?: (from: number, what: 'data' | 'hole', op: Op) => Awaitable<number>;
  readonly #state: ExportState;
  readonly #file: ExportFile;
  readonly #fd: number;
  readonly #writable: boolean;
  readonly #origin: object | undefined;
  readonly #giveBack: () => void;
  #wrote = false;
  /** As it was when the kernel was given it, to write to it by itself. */
  #handedOver: HostStat | undefined;
  #readsCached: boolean;
  #waiting = 0;
  #released = false;

  constructor(
    state: ExportState,
    file: ExportFile,
    fd: number,
    { writable, op }: { readonly writable: boolean; readonly op: Op },
  ) {
    this.#state = state;
    this.#file = file;
    this.#fd = fd;
    this.#writable = writable;
    this.#origin = op.origin;
    this.#giveBack = state.openFiles.take(op);
    const { tree } = state;
    const { native } = tree;
    this.#readsCached = native !== null;
    if (native !== null) {
      this.seek = (from, what, op) => {
        this.#checkOpen();
        return tree.run(op, () => native.seek(fd, from, what));
      };
    }
    file.openFds.add(fd);
    if (writable) file.openForWriting += 1;
    state.openHandles.add(this);
  }

  get identity(): string {
    const { ino, birthNs } = this.#file.seen;
    return createHash('sha256').update(`${ino} ${birthNs}`).digest('base64url').slice(0, 22);
  }

  stat(op: Op): Awaitable<Stat> {
    this.#checkOpen();
    const { tree } = this.#state;
    return tree.run(op, () =>
      this.#state.statOf(
        (this.#file.seen = this.#file.mended(tree.stat(this.#fd, ''), this.#fd)),
        this.#file.ino,
      ),
    );
  }

  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    this.#checkOpen();
    this.#state.checkWritable();
    const { tree } = this.#state;
    tree.run(op, () => {
      const path = pathOfFd(this.#fd);
      const current = (): HostStat => tree.stat(this.#fd, '');
      const { size, ...rest } = change;
      if (size === undefined || !this.#writable) {
        applyChange(this.#state, path, change, op, current);
        return;
      }
      checkRemoteChange(rest, op, tree.isRemoteRoot(op), current);
      if (tree.isRemoteRoot(op)) dropSetId(path, current());
      ftruncateSync(this.#fd, checkedSize(size));
      if (!changesNothing(rest)) applyChange(this.#state, path, rest, op, current);
    });
    this.#wrote = true;
    this.#file.noteSetId(change);
    return this.stat(op);
  }

  /**
   * Not for a file with set-id bits, which a write by another user must take, nor for a small one that is read alone,
   * which the page cache of the mount answers sooner.
   */
  handOver(hand: (fd: number) => boolean, isOpenSo: boolean): boolean {
    const { seen } = this.#file;
    const isWorthIt = (seen.mode & SET_ID_BITS) === 0 && (this.#writable || seen.size > SMALL_BYTES);
    if (this.#released || !(isOpenSo || isWorthIt) || !hand(this.#fd)) return false;
    this.#handedOver = seen;
    this.#file.handedOver += 1;
    return true;
  }

  read(at: number, size: number, op: Op): Awaitable<Uint8Array> {
    const into = size <= POOLED_BYTES ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    const count = this.readInto(at, into, op);
    return typeof count === 'number'
      ? into.subarray(0, count)
      : count.then((known) => into.subarray(0, known));
  }

  readInto(at: number, into: Uint8Array, _op: Op): Awaitable<number> {
    this.#checkOpen();
    if (into.length === 0) return 0;
    const { tree } = this.#state;
    const { native } = tree;
    if (native === null || !this.#readsCached) return this.#readRest(at, into, 0);
    const count = native.readCached(this.#fd, into, at);
    if (count === into.length) return count;
    if (count < 0) return this.#readRest(at, into, 0);
    // Short: the end of the file, or of what is cached.
    return at + count >= tree.stat(this.#fd, '').size ? count : this.#readRest(at, into, count);
  }

  async #readRest(at: number, into: Uint8Array, from: number): Promise<number> {
    let done = from;
    while (done < into.length) {
      const count = await this.#later<number>((callback) =>
        readAsync(this.#fd, into, done, into.length - done, at + done, callback),
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  /** Into the page cache, which is quicker than a trip through the thread pool. */
  write(at: number, data: Uint8Array, op: Op): number {
    this.#checkOpen();
    if (!this.#writable) throw new FsError('EBADF', 'The file is not open for writing.');
    this.#wrote = true;
    const { tree, changes } = this.#state;
    if (tree.actsFor(op) && dropSetId(pathOfFd(this.#fd), tree.stat(this.#fd, '')))
      changes.emit({ what: 'attr', ino: this.#file.ino }); // the bridge that writes does not know
    try {
      for (let done = 0; done < data.length;)
        done += writeSync(this.#fd, data, done, data.length - done, at + done);
    } catch (thrown) {
      throw hostErrorFrom(thrown);
    }
    return data.length;
  }

  async fsync(dataOnly: boolean, _op: Op): Promise<void> {
    this.#checkOpen();
    await this.#later((callback) => (dataOnly ? fdatasync : fsync)(this.#fd, callback));
  }

  allocate(mode: number, at: number, length: number, op: Op): Awaitable<void> {
    this.#checkOpen();
    const { tree } = this.#state;
    const { native } = tree;
    // The errno on which posix_fallocate(3) writes the bytes itself.
    if (native === null) throw new FsError('EOPNOTSUPP', 'Space cannot be reserved here.');
    this.#wrote = true;
    tree.run(op, () => native.allocate(this.#fd, mode, at, length));
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#giveBack();
    this.#file.openFds.delete(this.#fd);
    if (this.#writable) this.#file.openForWriting -= 1;
    this.#state.openHandles.delete(this);
    const before = this.#handedOver;
    if (before !== undefined || this.#wrote)
      this.#file.seen = this.#file.mended(this.#state.tree.stat(this.#fd, ''), this.#fd);
    if (before !== undefined) this.#file.handedOver -= 1;
    if (this.#wrote || (before !== undefined && this.#writable && differs(before, this.#file.seen))) {
      if (this.#state.changes.size > 0)
        this.#state.changes.emit({ what: 'data', ino: this.#file.ino, by: this.#origin });
    }
    if (this.#waiting === 0) closeSync(this.#fd);
  }

  /** Runs one asynchronous call; the descriptor is not closed under it. */
  #later<Result = void>(
    start: (callback: (error: NodeJS.ErrnoException | null, result?: Result) => void) => void,
  ): Promise<Result> {
    this.#waiting += 1;
    return new Promise<Result>((resolve, reject) => {
      start((error, result) => {
        this.#waiting -= 1;
        if (this.#released && this.#waiting === 0) closeSync(this.#fd);
        if (error) reject(hostErrorFrom(error));
        else resolve(result as Result);
      });
    });
  }

  #checkOpen(): void {
    if (this.#released) throw new FsError('EBADF', 'The descriptor is closed.');
  }
}
