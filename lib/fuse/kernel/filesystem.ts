import type { Call } from './call.js';
import type { DirentList } from './dirents.js';
import type { NegotiatedInit } from './negotiate.js';
import type {
  Answer,
  AttrOut,
  EntryOut,
  OpenOut,
  CreateOut,
  SetattrIn,
  StatfsOut,
  Lock,
  LockIn,
} from './values.js';

/**
 * What a filesystem answers, one method for each request of the protocol; those that are absent answer
 * ENOSYS, which the kernel remembers for most. `call` names the caller and aborts when it gives up.
 * Buffers passed in belong to the method, unless said otherwise; names are text, in which a byte that is
 * not UTF-8 is a lone surrogate (`lib/linux/byte-text.ts`), both ways. Modes of what is made come without the bits of the
 * caller's umask, which `call.masked` has.
 */
export interface Filesystem {
  /**
   * True: set-user-id and set-group-id bits, and capabilities, go with a write, a truncation or a chown by a
   * caller for whom they should, without the kernel's doing. It then need not ask for capabilities
   * (GETXATTR) before each write (FUSE_HANDLE_KILLPRIV_V2).
   */
  readonly killsPrivileges?: boolean;
  /** True: files may be handed to the kernel, to be read and written without us (FUSE_PASSTHROUGH). */
  readonly passesThrough?: boolean;
  /** True: directories are read with `readdirplus` alone. Else the kernel chooses, by whether somebody looks at what is listed. */
  readonly alwaysPlus?: boolean;
  /** The first thing that is called: what kernel and server agreed on. */
  init?(agreed: NegotiatedInit): void;
  /** The kernel took leave (unmounted). */
  destroy?(): void;
  lookup?(parent: number, name: string, call: Call): Answer<EntryOut>;
  /** `nlookup` of the entries answered for `nodeid` are forgotten; at zero the id will not be used again. */
  forget?(nodeid: number, nlookup: number): void;
  getattr?(nodeid: number, fh: number | undefined, call: Call): Answer<AttrOut>;
  setattr?(nodeid: number, change: SetattrIn, call: Call): Answer<AttrOut>;
  readlink?(nodeid: number, call: Call): Answer<string>;
  symlink?(parent: number, name: string, target: string, call: Call): Answer<EntryOut>;
  mknod?(parent: number, name: string, mode: number, rdev: number, call: Call): Answer<EntryOut>;
  mkdir?(parent: number, name: string, mode: number, call: Call): Answer<EntryOut>;
  unlink?(parent: number, name: string, call: Call): Answer<void>;
  rmdir?(parent: number, name: string, call: Call): Answer<void>;
  /** `flags` of renameat2(2). */
  rename?(
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
    call: Call,
  ): Answer<void>;
  link?(nodeid: number, newParent: number, newName: string, call: Call): Answer<EntryOut>;
  /** `flags` of open(2), with O_TRUNC. */
  open?(nodeid: number, flags: number, call: Call): Answer<OpenOut>;
  create?(parent: number, name: string, flags: number, mode: number, call: Call): Answer<CreateOut>;
  /** As `create`, of a file without a name (O_TMPFILE); its `nlink` is 0. `name` is the kernel's own for it. */
  tmpfile?(parent: number, name: string, flags: number, mode: number, call: Call): Answer<CreateOut>;
  /** At most `size` bytes; the kernel zero-fills a short answer unless the descriptor has direct I/O. */
  read?(nodeid: number, fh: number, offset: number, size: number, call: Call): Answer<Uint8Array>;
  /** `data` is lent until the method returns: one that answers later copies what it still needs. */
  write?(nodeid: number, fh: number, offset: number, data: Buffer, call: Call): Answer<number>;
  statfs?(nodeid: number, call: Call): Answer<StatfsOut>;
  /** Comes once for each close of a duplicate of the descriptor; `lockOwner` is the process, as in `LockIn`. */
  flush?(nodeid: number, fh: number, lockOwner: bigint, call: Call): Answer<void>;
  /** Comes once, after the last close; nobody hears its error. Locks taken by the descriptor go with it. */
  release?(nodeid: number, fh: number, call: Call): Answer<void>;
  fsync?(nodeid: number, fh: number, dataOnly: boolean, call: Call): Answer<void>;
  setxattr?(nodeid: number, name: string, value: Buffer, flags: number, call: Call): Answer<void>;
  getxattr?(nodeid: number, name: string, call: Call): Answer<Uint8Array>;
  listxattr?(nodeid: number, call: Call): Answer<readonly string[]>;
  removexattr?(nodeid: number, name: string, call: Call): Answer<void>;
  opendir?(nodeid: number, flags: number, call: Call): Answer<OpenOut>;
  /** Adds entries after `offset` (0, or the offset given with an earlier entry) until `list` takes no more. */
  readdir?(nodeid: number, fh: number, offset: number, list: DirentList, call: Call): Answer<void>;
  /** As `readdir`, with `list.addPlus`: spares the kernel a lookup for each entry. */
  readdirplus?(nodeid: number, fh: number, offset: number, list: DirentList, call: Call): Answer<void>;
  releasedir?(nodeid: number, fh: number, call: Call): Answer<void>;
  fsyncdir?(nodeid: number, fh: number, dataOnly: boolean, call: Call): Answer<void>;
  /** `mask` of access(2). */
  access?(nodeid: number, mask: number, call: Call): Answer<void>;
  fallocate?(
    nodeid: number,
    fh: number,
    mode: number,
    offset: number,
    length: number,
    call: Call,
  ): Answer<void>;
  /** `whence` is SEEK_DATA (3) or SEEK_HOLE (4): the kernel does all others. */
  lseek?(nodeid: number, fh: number, offset: number, whence: number, call: Call): Answer<number>;
  /** Somebody else's lock that is in the way of `lock`, if there is one. Without this and `setlk` the kernel keeps locks. */
  getlk?(nodeid: number, fh: number, lock: LockIn, call: Call): Answer<Lock | undefined>;
  /**
   * Takes or gives back a lock. Where another is in the way, it is EAGAIN, or, with `waits`, answered once that is
   * gone. A caller that waits gives up at any signal, with EINTR; the kernel asks again where that is wanted.
   */
  setlk?(nodeid: number, fh: number, lock: LockIn, waits: boolean, call: Call): Answer<void>;
}
