import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { FsError, reasonOf } from '../core/index.js';
import { ERRNO } from '../linux/index.js';

/** Loads what is native with the first lock: a client of a control plane takes none. */
const load = createRequire(import.meta.url);

/**
 * Holds a lock that nobody else, in this process or another, can take until it is released or this process ends,
 * however it ends. The file is made where it is missing, mode 0600, and stays; what is in it does not matter.
 */
export class FileLock {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** The lock, or undefined while somebody else holds it. @throws FsError where no lock can be had at all */
  static tryAcquire(path: string): FileLock | undefined {
    let fd: number;
    try {
      fd = openSync(path, 'a+', 0o600);
    } catch (thrown) {
      throw failure(path, `cannot be opened: ${reasonOf(thrown)}`, thrown);
    }
    const errno = lockWhole(fd);
    if (errno === 0) return new FileLock(fd);
    closeSync(fd);
    if (errno === ERRNO.EAGAIN || errno === ERRNO.EACCES) return undefined;
    throw failure(path, `cannot be locked: the system answers with error ${errno}`);
  }

  release(): void {
    closeSync(this.#fd);
  }
}

function failure(path: string, what: string, cause?: unknown): FsError {
  return new FsError('EIO', `The lock file ${path} ${what}.`, {
    hint: 'It is an empty file on a disk of this machine. Remove what is there while no other process uses it, and start again.',
    path,
    cause,
  });
}

const F_WRLCK = 1;
/**
 * The bytes that SQLite locks when it has a database for itself (sqlite.org/fileformat.html, "the lock-byte page"): a release
 * that used an empty database as its lock and this one keep each other out.
 */
const LOCK_START = 0x4000_0000n;
const LOCK_LENGTH = 512n;
const LOCK_EX = 2;
const LOCK_NB = 4;

let locker: ((fd: number) => number) | undefined;

/** Locks the file for this open description: 0, or the error number. */
function lockWhole(fd: number): number {
  locker ??= makeLocker();
  return locker(fd);
}

function makeLocker(): (fd: number) => number {
  const koffi = load('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  if (process.platform === 'linux') {
    const F_OFD_SETLK = 37; // fcntl(2): held by the open description, which a process can have several of
    const fcntl = libc.func('int fcntl(int fd, int command, void *lock)');
    const lock = Buffer.alloc(32); // struct flock: type, whence, then start and length from byte 8
    lock.writeInt16LE(F_WRLCK, 0);
    lock.writeBigInt64LE(LOCK_START, 8);
    lock.writeBigInt64LE(LOCK_LENGTH, 16);
    return (fd) => (fcntl(fd, F_OFD_SETLK, lock) === 0 ? 0 : koffi.errno());
  }
  const flock = libc.func('int flock(int fd, int operation)');
  return (fd) => (flock(fd, LOCK_EX | LOCK_NB) === 0 ? 0 : koffi.errno());
}
