import { writeSync, writevSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { Outlet } from './kernel-connection.js';
import type { SystemCalls } from './system-calls.js';

/** Answers and notifications, written to /dev/fuse. One message is one write. */
export class Device implements Outlet {
  readonly fd: number;
  #closed = false;
  #calls: SystemCalls | undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Faster calls, as soon as there are any. */
  use(calls: SystemCalls): void {
    this.#calls = calls;
  }

  get hasCalls(): boolean {
    return this.#calls !== undefined;
  }

  /** From now on nothing is written: the descriptor's number may soon mean another file. */
  close(): void {
    this.#closed = true;
  }

  /** What the device answers, the errno below zero, or undefined where there is no such call yet. */
  ioctl(request: number, argument: Buffer): number | undefined {
    return this.#closed ? undefined : this.#calls?.ioctl(this.fd, request, argument);
  }

  send(bytes: Buffer, length: number, payload?: Uint8Array): boolean {
    if (this.#closed) return false;
    if (payload === undefined && this.#calls !== undefined) return this.#sendBy(this.#calls, bytes, length);
    try {
      if (payload === undefined) writeSync(this.fd, bytes, 0, length);
      else writevSync(this.fd, [bytes.subarray(0, length), payload]);
      return true;
    } catch (error) {
      if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  }

  #sendBy(calls: SystemCalls, bytes: Buffer, length: number): boolean {
    const errno = calls.write(this.fd, bytes, length);
    if (errno === 0) return true;
    const code = getSystemErrorName(-errno);
    if (GONE.has(code)) return false;
    throw Object.assign(new Error(`The kernel does not take an answer (${code}).`), { code });
  }
}

/**
 * ENOENT: the request was aborted, or the inode of a notification is not known; ENOTDIR, ENOTEMPTY and
 * EBUSY come for entries; ENODEV, ENOTCONN, EBADF: the mount is gone. EINVAL: the kernel does not know this
 * kind of notification, or has given the caller EIO, since the answer is not of the size that it must have.
 */
const GONE = new Set(['ENOENT', 'ENODEV', 'ENOTCONN', 'EBADF', 'ENOTDIR', 'ENOTEMPTY', 'EBUSY', 'EINVAL']);
