import { writeSync, writevSync } from 'node:fs';
import type { Outlet } from './session.js';

/** Answers and notifications, written to /dev/fuse. One message is one write. */
export class Device implements Outlet {
  readonly fd: number;
  #closed = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** From now on nothing is written: the descriptor's number may soon mean another file. */
  close(): void {
    this.#closed = true;
  }

  send(bytes: Buffer, length: number, payload?: Uint8Array): boolean {
    if (this.#closed) return false;
    try {
      if (payload === undefined) writeSync(this.fd, bytes, 0, length);
      else writevSync(this.fd, [bytes.subarray(0, length), payload]);
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }
}

/**
 * ENOENT: the request was aborted, or the inode of a notification is not known; ENOTDIR, ENOTEMPTY and
 * EBUSY come for entries; ENODEV, ENOTCONN: the mount is gone. None of it is anybody's fault.
 */
const GONE = new Set(['ENOENT', 'ENODEV', 'ENOTCONN', 'EBADF', 'ENOTDIR', 'ENOTEMPTY', 'EBUSY', 'EINVAL']);

function isGone(error: unknown): boolean {
  return GONE.has((error as NodeJS.ErrnoException).code ?? '');
}
