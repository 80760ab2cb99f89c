import type { Errno } from './errno.js';

/** Now or later; a refusal may be returned or thrown. What answers at once costs no promise. */
export type Answer<T> = T | Errno | Promise<T | Errno>;

/** What `stat` shows; `struct fuse_attr`. Times are nanoseconds since the epoch. */
export interface Attr {
  readonly ino: bigint;
  readonly size: number;
  /** 512-byte blocks. */
  readonly blocks: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** With the type (S_IFDIR 0o040000, S_IFREG 0o100000, S_IFLNK 0o120000, and those of special files). */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a special file: the device, in the 32 bits of makedev(3). */
  readonly rdev?: number | undefined;
}

/** Attributes, and how long the kernel may keep them. */
export interface AttrOut {
  readonly attr: Attr;
  readonly attrValidMs: number;
}

/** A name found or made. Each one that is answered counts as one lookup of `nodeid`, until `forget`. */
export interface EntryOut extends AttrOut {
  /** Never 0, never used before for another thing in this mount's life. The root is 1. */
  readonly nodeid: number;
  /** How long the kernel may keep the name. */
  readonly entryValidMs: number;
}

export interface OpenOut {
  /** The handler's own number for the descriptor. */
  readonly fh: number;
  /** FOPEN_* bits. */
  readonly openFlags: number;
  /** With FOPEN_PASSTHROUGH: a number of `BackingFiles`. All that have an inode open so have the same. */
  readonly backingId?: number | undefined;
}

export interface CreateOut {
  readonly entry: EntryOut;
  readonly open: OpenOut;
}

/** What a setattr asks for; absent stays as it is. */
export interface SetattrIn {
  readonly fh?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atimeNs?: bigint | 'now';
  readonly mtimeNs?: bigint | 'now';
}

/** `struct fuse_kstatfs`; counts are blocks of `bsize` bytes. */
export interface StatfsOut {
  readonly blocks: bigint;
  readonly bfree: bigint;
  readonly bavail: bigint;
  readonly files: bigint;
  readonly ffree: bigint;
  readonly bsize: number;
  readonly namelen: number;
}

/** A lock as it is held, or asked for, on the bytes `start` to `end`, both included; flock(2) takes all. */
export interface Lock {
  readonly kind: 'shared' | 'exclusive';
  readonly start: bigint;
  readonly end: bigint;
  /** The process. */
  readonly pid: number;
}

/** What a caller asks for: a lock, or that there be none of its own. */
export interface LockIn extends Omit<Lock, 'kind'> {
  readonly kind: Lock['kind'] | 'none';
  /** Of flock(2), rather than fcntl(2); those two never meet. */
  readonly flock: boolean;
  /** Whose it is: a process (fcntl) or a descriptor (flock, and the F_OFD_ commands of fcntl). */
  readonly owner: bigint;
}
