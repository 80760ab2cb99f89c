import { FsError } from '../../core/index.js';
import type { FileHandle, FileNode } from '../../vfs/index.js';

export interface OpenFile {
  readonly node: FileNode;
  readonly handle: FileHandle;
  readonly writable: boolean;
}

const MAX_FD = 0x7fff_ffff;

/** The open descriptors of a mount, by number and by inode. Numbers are 31-bit and never 0. */
export class OpenFiles {
  readonly #byFd = new Map<number, OpenFile>();
  readonly #byIno = new Map<bigint, OpenFile[]>();
  #last = 0;

  add(file: OpenFile): number {
    do this.#last = this.#last >= MAX_FD ? 1 : this.#last + 1;
    while (this.#byFd.has(this.#last));
    this.#byFd.set(this.#last, file);
    const same = this.#byIno.get(file.node.ino);
    if (same === undefined) this.#byIno.set(file.node.ino, [file]);
    else same.push(file);
    return this.#last;
  }

  /** @throws FsError EBADF */
  get(fd: number): OpenFile {
    const file = this.#byFd.get(fd);
    if (file === undefined) throw new FsError('EBADF', `There is no open file ${fd}.`);
    return file;
  }

  /** Takes a descriptor out; undefined where it is not there. */
  take(fd: number): OpenFile | undefined {
    const file = this.#byFd.get(fd);
    if (file === undefined) return undefined;
    this.#byFd.delete(fd);
    const same = this.#byIno.get(file.node.ino) ?? [];
    if (same.length <= 1) this.#byIno.delete(file.node.ino);
    else same.splice(same.indexOf(file), 1);
    return file;
  }

  /** The one of that inode that was opened last. */
  latestOf(ino: bigint): OpenFile | undefined {
    return this.#byIno.get(ino)?.at(-1);
  }

  latestWritableOf(ino: bigint): OpenFile | undefined {
    return this.#byIno.get(ino)?.findLast((file) => file.writable);
  }

  get size(): number {
    return this.#byFd.size;
  }
}
