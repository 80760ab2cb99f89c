import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  BaseFile,
  fileStat,
  newIno,
  nsFromMs,
  ReadOnlyHandle,
  type FileHandle,
  type Stat,
} from '../vfs/index.js';

/** A file of the host, which the kernel may read by itself, to see whether it does. */
export class HostFile extends BaseFile {
  readonly ino = newIno();
  readonly #fd: number;
  readonly #stat: Stat;

  /** @throws Error as open(2) */
  constructor(path: string) {
    super();
    this.#fd = openSync(path, 'r');
    const { size, mtimeMs } = fstatSync(this.#fd);
    this.#stat = fileStat(this.ino, nsFromMs(mtimeMs), 0o444, size);
  }

  stat(): Stat {
    return this.#stat;
  }

  open(): FileHandle {
    return new HostHandle(this.#fd, this.#stat);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

class HostHandle extends ReadOnlyHandle {
  override readonly direct = false;
  readonly #fd: number;
  readonly #stat: Stat;

  constructor(fd: number, stat: Stat) {
    super();
    this.#fd = fd;
    this.#stat = stat;
  }

  stat(): Stat {
    return this.#stat;
  }

  read(at: number, size: number): Uint8Array {
    const into = Buffer.alloc(size);
    return into.subarray(0, readSync(this.#fd, into, 0, size, at));
  }

  handOver(hand: (fd: number) => boolean): boolean {
    return hand(this.#fd);
  }
}
