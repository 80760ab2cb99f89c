import type { FsError, Log } from '../core/index.js';
import type { Session } from '../policy/index.js';
import type { Caller, Vfs } from '../vfs/index.js';

export type BindingName = 'fuse-native' | 'kernel';

/**
 * A way to show a `Vfs` to the kernel. Node identity, open handles, per-open flags, freshness, the caller
 * and interruption are all in the `Vfs` interface, so a tree and a directory are all that a binding needs;
 * what it cannot pass on, it says in `offers`.
 */
export interface FuseBinding {
  readonly name: BindingName;
  readonly offers: BindingOffers;
  /** Why this binding cannot mount here, with what to do about it; null when it can. */
  unavailable(): Promise<string | null>;
  /**
   * Mounts `vfs` on `options.dir`; answers when the kernel serves it. The tree stays the caller's: closing
   * the mount does not close it.
   * @throws FsError EBUSY where something is mounted on the directory already, ENODEV where FUSE is missing,
   *   and what `prepareMountpoint` throws.
   */
  mount(vfs: Vfs, options: MountOptions): Promise<Mount>;
}

export interface BindingOffers {
  /** `Op.signal` aborts when the caller gives up. */
  readonly interruption: boolean;
  /** `Change` events reach the kernel's caches. */
  readonly invalidation: boolean;
  /** `Op.caller` is set, and the users that `allowOther` lets in are distinguished by uid. */
  readonly callerIdentity: boolean;
  /** `FileHandle.direct` is heeded for each open. */
  readonly perOpenFlags: boolean;
  /** Writes to one control file run side by side. */
  readonly parallelWrites: boolean;
}

export interface MountOptions {
  /** An existing empty directory, or one that does not exist yet. */
  readonly dir: string;
  /** Asked for each request, so that a changed session counts at once. `caller` where the binding knows it. */
  readonly sessionOf: (caller: Caller | undefined) => Session;
  /** Let other local users in: those of `allowUids` besides the owner; everyone else gets EACCES. */
  readonly allowOther: boolean;
  readonly allowUids: readonly number[];
  /** Whatever would change something is EROFS. */
  readonly readOnly?: boolean;
  /** Whom local users, by uid, act as in exports of other machines that allow it. */
  readonly remoteUids?: ReadonlyMap<number, number> | undefined;
  /** The owner of nodes whose `Stat` names nobody. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /**
   * The session is an admin's whose rights are for good, on the machine whose files the tree shows: the kernel may have
   * the files of exports that the owner opens, and read and write them by itself.
   */
  readonly handsOver?: boolean | undefined;
  /**
   * Called before readlink(2) is answered, with the link's path below the mount and its target; what it throws is
   * the answer in its place. Absent: each link may be read.
   */
  readonly linkRule?: ((names: readonly string[], target: string) => void) | undefined;
  readonly log: Log;
  /** What `df` and mountinfo show as the source. */
  readonly fsname: string;
}

export interface Mount {
  /** The mount point, absolute, without symlinks. */
  readonly dir: string;
  readonly binding: BindingName;
  /** Why files of exports are read and written through this process, as of now; null: the kernel does it by itself. */
  readonly whyThroughUs: string | null;
  /** Settles once, when the mount is gone; never rejects. */
  readonly closed: Promise<CloseReason>;
  /** Unmounts, lazily where the mount is in use. Idempotent; answers when `closed` has. */
  unmount(): Promise<void>;
}

export type CloseReason =
  /** By `unmount()`. */
  | { readonly how: 'unmounted' }
  /** By somebody else: `umount`, `fusermount -u`. */
  | { readonly how: 'outside' }
  | { readonly how: 'failed'; readonly error: FsError };
