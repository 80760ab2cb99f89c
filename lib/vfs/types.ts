import type { Emitter } from '../core/index.js';
import type { Session } from '../policy/index.js';

/** An answer now or later. Callers on the hot path look before they await. */
export type Awaitable<T> = T | Promise<T>;

/** On whose behalf a call is made, and how it is abandoned. One per request. */
export interface Op {
  readonly session: Session;
  /**
   * Aborts when the caller gives up (a signal that ends it, a lost connection), with an `FsError` as its
   * reason. Bridges may make it on first use: read it only where something can be waited for.
   */
  readonly signal: AbortSignal;
  /** The process that calls, where the bridge knows it. */
  readonly caller?: Caller;
  /** The bridge that the call came through, where it learns from the answer what its own calls changed. */
  readonly origin?: object;
  /**
   * Permission bits that the caller's umask took from the mode of what it makes: a directory with a default
   * ACL, which takes the umask's place (acl(5)), gives them back. Absent: none, or unknown.
   */
  readonly masked?: number | undefined;
  /**
   * The user of another machine whom the caller acts as in that machine's exports, by the map of the mount that it came
   * through. A claim: the export decides whether the session may make it.
   */
  readonly remoteUid?: number | undefined;
  /** What causes it, where calls are traced: the `traceparent` of a span. */
  readonly traceparent?: string | undefined;
}

export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** True: another user than the mount's own, which the mount lets in. */
  readonly isGuest?: boolean;
}

export type NodeKind = 'dir' | 'file' | 'symlink';

/** What a special file is, which is a file all the same: opening it is a matter of the caller's own kernel. */
export type SpecialKind = 'pipe' | 'socket' | 'character' | 'block';

/** What stat(2) reports. Times are nanoseconds since the epoch. `uid` and `gid` null: the mount's owner. */
export interface Stat {
  readonly ino: bigint;
  readonly kind: NodeKind;
  readonly special?: SpecialKind | undefined;
  /** The device that a special file stands for, as makedev(3) puts it into 32 bits. */
  readonly rdev?: number | undefined;
  /** Permission bits alone (07777). They are true for the session that asks. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly size: number;
  /** 512-byte blocks; derived from `size` where absent. */
  readonly blocks?: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/**
 * How long what a node says stays true:
 * - `announced`: it changes only with a `Change`; caches may keep it until then.
 * - `live`: it may differ at each look; nothing is kept, and each lookup is a node of its own.
 * - `shared`: an ordinary file that others change behind our back; caches may keep it for a moment.
 */
export type Freshness = 'announced' | 'live' | 'shared';

export interface NodeBase {
  /** Stable while the thing exists, and the same at each path that shows it. */
  readonly ino: bigint;
  readonly freshness: Freshness;
  /** The attributes as they were when the node was looked up or made; spares a caller that asks right then a `stat`. */
  cachedStat?(op: Op): Stat | undefined;
  /**
   * True: it has no extended attributes at all, as sure as the attributes that `stat` has just given. Absent, or
   * undefined: nobody has looked.
   */
  isBare?(op: Op): boolean | undefined;
  /** How much longer (ms) the attributes given now hold, where they were looked at some time ago. */
  leftMs?(): number;
  stat(op: Op): Awaitable<Stat>;
  setattr(change: AttrChange, op: Op): Awaitable<Stat>;
  /** @throws FsError EACCES unless the session may do what `mask` (R_OK 4, W_OK 2, X_OK 1) asks. */
  access(mask: number, op: Op): Awaitable<void>;
  getxattr(name: string, op: Op): Awaitable<Uint8Array>;
  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void>;
  listxattr(op: Op): Awaitable<readonly string[]>;
  removexattr(name: string, op: Op): Awaitable<void>;
  statfs(op: Op): Awaitable<StatFs>;
}

export interface DirNode extends NodeBase {
  readonly kind: 'dir';
  /** @throws FsError ENOENT when there is no such entry, or none that the session may know of. */
  lookup(name: string, op: Op): Awaitable<Node>;
  /** What `lookup` would find, where that is known at once; spares a caller the lookups of all that is listed. */
  lookupSync?(name: string, op: Op): Node | undefined;
  /** All entries but `.` and `..`, as of now, in a stable order. */
  list(op: Op): Awaitable<readonly DirEntry[]>;
  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created>;
  /**
   * A file without a name, as O_TMPFILE of open(2); `link` may give it one, unless `flags.exclusive`. Absent:
   * not offered.
   */
  tmpfile?(flags: OpenFlags, mode: number, op: Op): Awaitable<Created>;
  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode>;
  /** A pipe or socket, as mknod(2). Absent: not offered. */
  mknod?(name: string, special: 'pipe' | 'socket', mode: number, op: Op): Awaitable<FileNode>;
  unlink(name: string, op: Op): Awaitable<void>;
  rmdir(name: string, op: Op): Awaitable<void>;
  /** `flags` as renameat2(2): RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void>;
  link(target: Node, name: string, op: Op): Awaitable<Node>;
  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode>;
  fsync(op: Op): Awaitable<void>;
}

export interface FileNode extends NodeBase {
  readonly kind: 'file';
  /** Set: this is no regular file, and `open` is ENXIO. */
  readonly special?: SpecialKind | undefined;
  /**
   * The last attributes that are known of it, perhaps no longer true, where asking takes long: for a bridge
   * that asks again before anybody sees them.
   */
  lastKnownStat?(): Stat | undefined;
  /**
   * True, of a live file: what is written to a descriptor and read from it is that descriptor's own, and
   * a write may take its time, so that no caller may be made to wait for another.
   */
  readonly perOpen?: boolean;
  open(flags: OpenFlags, op: Op): Awaitable<FileHandle>;
}

export interface SymlinkNode extends NodeBase {
  readonly kind: 'symlink';
  readlink(op: Op): Awaitable<string>;
}

export type Node = DirNode | FileNode | SymlinkNode;

export interface DirEntry {
  readonly name: string;
  readonly ino: bigint;
  readonly kind: NodeKind;
  readonly special?: SpecialKind | undefined;
  /** The node itself where it is at hand, which spares a bridge the lookup. */
  readonly node?: Node;
}

export interface Created {
  readonly node: FileNode;
  readonly handle: FileHandle;
}

/** open(2) in words. At least one of `read` and `write` is set. */
export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
  /** O_EXCL, with create and tmpfile. */
  readonly exclusive: boolean;
  /** O_SYNC or O_DSYNC: no write is answered before it was carried out. Whoever opened it so syncs each as well. */
  readonly sync?: boolean;
}

/**
 * An open descriptor. Offsets and sizes are bytes, below 2^53. What wraps one extends `ForwardingHandle`.
 *
 * Buffers belong to whoever made them. The `data` of a `write` is lent to the handle until the write has
 * answered: the caller leaves it unchanged that long and may reuse it from then on, so a handle copies what it
 * keeps for longer. `into` of `readInto` is lent likewise. What `read` answers is the caller's to look at and
 * nobody's to change: others may be shown the same bytes.
 */
export interface FileHandle {
  /**
   * True: bytes go straight to the caller, in its own sizes, and nothing is cached (live documents,
   * control files, streams). False: the page cache may hold them.
   */
  readonly direct: boolean;
  /**
   * True: what this descriptor shows no longer changes (a document's snapshot). Absent: it may, unless the
   * node is `announced`.
   */
  readonly fixed?: boolean;
  /** What it keeps in memory while it is open; others that show the same may share it. Absent: next to nothing. */
  readonly holds?: Uint8Array;
  /**
   * Which file it is, whoever asks and over whichever connection: whoever opens it again by its path finds out by this whether that
   * is another one by now. Absent: what stands at the path is what counts.
   */
  readonly identity?: string | undefined;
  /** True: what it shows may be withdrawn at any time, so that each look must ask; nobody keeps any of it. */
  readonly revocable?: boolean;
  /** The attributes of what this descriptor shows: for a document those of its snapshot. */
  stat(op: Op): Awaitable<Stat>;
  setattr(change: AttrChange, op: Op): Awaitable<Stat>;
  /** Up to `size` bytes from `at`; fewer only at the end. */
  read(at: number, size: number, op: Op): Awaitable<Uint8Array>;
  /**
   * The same into memory of the caller's, where a handle can: for large files it saves what memory costs.
   * Answers how many bytes it put there.
   */
  readInto?(at: number, into: Uint8Array, op: Op): Awaitable<number>;
  /**
   * Gives the descriptor of the host's own file to `hand`, so that the kernel of this machine reads and writes it by
   * itself from then on; answers what `hand` does, or false where that must not be. `isOpenSo`: others have the file
   * open so already. What was handed over can no longer be withdrawn: for sessions alone that cannot lose their rights.
   */
  handOver?(hand: (fd: number) => boolean, isOpenSo: boolean): boolean;
  /** True: once `write` returns, be it a promise, it has no more need of its `data`, which the caller may use again. */
  readonly copiesData?: boolean;
  /** Takes all of `data`, or throws. */
  write(at: number, data: Uint8Array, op: Op): Awaitable<number>;
  /** A duplicate of the descriptor was closed; others may live on. Absent: nothing is to be done then. */
  flush?(op: Op): Awaitable<void>;
  /** Whether `flush` would do or report anything, as of now. Absent: it may. */
  readonly needsFlush?: boolean;
  fsync(dataOnly: boolean, op: Op): Awaitable<void>;
  /**
   * Where the next data, or the next hole, begins: `from` or later, as lseek(2) with SEEK_DATA and SEEK_HOLE.
   * Absent: all is data, up to the end.
   * @throws FsError ENXIO where `from` is not before the end, or no data follows
   */
  seek?(from: number, what: 'data' | 'hole', op: Op): Awaitable<number>;
  allocate(mode: number, at: number, length: number, op: Op): Awaitable<void>;
  /**
   * Settles once there is something new: true when a stream has bytes beyond `from`, or a document that was opened
   * anew would show something else than this descriptor; false when that will never be. It may come a moment later
   * than the news, so that what changes all the time costs little. Absent: nobody notices, look from time to time.
   * @throws FsError the reason of `op.signal` when the caller gives up
   */
  awaitChange?(from: number, op: Op): Promise<boolean>;
  /** The last duplicate was closed. What it throws reaches nobody. */
  release(): Awaitable<void>;
}

/** What is to change; what is absent stays. `now` for a time means the time of the change. */
export interface AttrChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atimeNs?: bigint | 'now';
  readonly mtimeNs?: bigint | 'now';
}

/** What statvfs(3) reports; sizes in blocks of `blockSize`. */
export interface StatFs {
  readonly blockSize: number;
  readonly blocks: bigint;
  readonly blocksFree: bigint;
  readonly blocksAvailable: bigint;
  readonly files: bigint;
  readonly filesFree: bigint;
  readonly nameMax: number;
}

/**
 * What is no longer as it was, for those who keep copies. Emitted after the change is visible to new
 * looks and before the writer that caused it is answered.
 * - `data`: a file's content and attributes, or a directory's listing.
 * - `attr`: attributes alone.
 * - `entry`: the name `name` in the directory `ino` appeared, went, or means another node.
 * - `tree`: everything below the directory `ino`, and itself (a node came, went, or has other services).
 * - `all`: everything (the session's rights changed, a peer was lost).
 * `by` is the bridge (`Op.origin`) whose call did it: it knows already.
 */
export type Change =
  | { readonly what: 'data' | 'attr'; readonly ino: bigint; readonly by?: object | undefined }
  | { readonly what: 'entry'; readonly ino: bigint; readonly name: string; readonly by?: object | undefined }
  | { readonly what: 'tree'; readonly ino: bigint }
  | { readonly what: 'all' };

/** A tree of files with somebody behind it. Trees compose: a node of one may be the root of another. */
export interface Vfs {
  readonly root: DirNode;
  /** False: no node has extended attributes, nor will have; a bridge need not ask for any. */
  readonly extendedAttributes?: boolean;
  /** True: what a directory lists comes with its attributes, so that to list the names alone spares nothing. */
  readonly listsAttributes?: boolean;
  readonly changes: Emitter<Change>;
  close(): Promise<void>;
}
