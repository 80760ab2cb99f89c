import { closeSync, fdatasyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { FsError, reasonOf } from '../../core/index.js';
import { readFully } from './segment.js';

const IDLE_MS = 30_000;

/** A file that only grows, each time by one `write`; open while it is in use. */
export class AppendFile {
  readonly path: string;
  readonly #fsync: boolean;
  #size: number;
  #fd: number | null = null;
  #idle: NodeJS.Timeout | null = null;

  constructor(path: string, size: number, fsync: boolean) {
    this.path = path;
    this.#size = size;
    this.#fsync = fsync;
  }

  get size(): number {
    return this.#size;
  }

  /** Whole when it returns; when it throws, the file is as before. @throws FsError ENOSPC, EIO */
  append(bytes: Uint8Array): void {
    const fd = this.#open();
    try {
      const written = writeSync(fd, bytes, 0, bytes.length, this.#size);
      if (written !== bytes.length)
        throw new FsError('ENOSPC', 'The state directory is full.', {
          hint: `Free some space on the disk that holds ${this.path}.`,
          path: this.path,
        });
      if (this.#fsync) fdatasyncSync(fd);
    } catch (thrown) {
      ftruncateSync(fd, this.#size);
      if (FsError.is(thrown)) throw thrown;
      const { code } = FsError.from(thrown);
      throw new FsError(code, `The state of the service cannot be written: ${reasonOf(thrown)}.`, {
        hint: `Look at the disk that holds ${this.path}, and free some space there if it is full.`,
        path: this.path,
        cause: thrown,
      });
    }
    this.#size += bytes.length;
  }

  /** Takes back what was appended behind `size`. */
  cutTo(size: number): void {
    ftruncateSync(this.#open(), size);
    this.#size = size;
  }

  read(into: Buffer, from: number): void {
    readFully(this.#open(), into, from);
  }

  /** Makes what was written survive power loss. */
  sync(): void {
    if (this.#fd !== null) fdatasyncSync(this.#fd);
  }

  close(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #open(): number {
    this.#fd ??= openSync(this.path, this.#size === 0 ? 'w+' : 'r+', 0o600);
    if (this.#idle === null) this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
    else this.#idle.refresh();
    return this.#fd;
  }
}
