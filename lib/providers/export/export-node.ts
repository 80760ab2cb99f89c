import { chmodSync, chownSync, closeSync, linkSync, statfsSync, truncateSync, utimesSync } from 'node:fs';
import { FsError, quietError } from '../../core/index.js';
import { O_PATH } from '../../linux/index.js';
import {
  noAttributeError,
  type AttrChange,
  type Awaitable,
  type Freshness,
  type Op,
  type Stat,
  type StatFs,
} from '../../vfs/index.js';
import type { ExportDir } from './export-dir.js';
import type { ExportState } from './export-state.js';
import { hostErrorFrom } from './host-error.js';
import type { HostStat } from './host-stat.js';
import { checkRemoteChange } from './identity.js';
import { pathIn, pathOfFd } from './host-tree.js';
import { mayAccess } from './may-access.js';
import type { Native } from './native.js';

/** A name under which a node was seen. */
interface Place {
  readonly dir: ExportDir;
  readonly name: string;
}

/** A file may have many names; as many as this are remembered. */
const MAX_PLACES = 8;
/** A path is at most PATH_MAX bytes long, and no name is empty. */
const MAX_DEPTH = 2048;
/** What leads to a place may be gone, or may be something else by now. */
const LOST = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE']);
const W_OK = 2;
const SET_ID_BITS = 0o6000;
/** Attributes that only root sees: taking on another user does not take away what lets this process see them. */
const TRUSTED = 'trusted.';
/** What `ls -l` and `cp` ask of each file, whether it has any or not. Asking takes no right. */
const ASKED_OF_ALL = /^(security\.|system\.posix_acl_)/;
/** For so long it is taken for granted that a file has no extended attributes. */
const BARE_MS = 1000;

/**
 * A file, directory or symlink of the host. It holds no descriptor but knows its names, and finds itself
 * anew for each operation; what stands there must be the same inode, or the answer is ESTALE, on which
 * the kernel looks the name up again.
 */
export abstract class ExportNode {
  readonly freshness: Freshness = 'shared';
  readonly ino: bigint;
  readonly state: ExportState;
  readonly #dev: number;
  readonly #hostIno: bigint;
  readonly #birthNs: bigint;
  readonly #type: number;
  #places: Place[] = [];
  /** Descriptors through which the file is open: they find it even when it has no name left. */
  readonly openFds = new Set<number>();
  #bare: { readonly is: boolean; readonly untilMs: number } | undefined;
  /** How many of these may write. */
  openForWriting = 0;
  /** The attributes as callers last saw them, which distinguishes a change behind our back from one that is known. */
  seen: HostStat;

  constructor(state: ExportState, ino: bigint, stat: HostStat) {
    this.state = state;
    this.ino = ino;
    this.#dev = stat.dev;
    this.#hostIno = stat.ino;
    this.#birthNs = stat.birthNs;
    this.#type = stat.type;
    this.seen = stat;
  }

  /** Whether `stat` is of this very inode, not of another that got its number later. */
  is(stat: HostStat): boolean {
    return (
      stat.ino === this.#hostIno &&
      stat.dev === this.#dev &&
      stat.birthNs === this.#birthNs &&
      stat.type === this.#type
    );
  }

  addPlace(dir: ExportDir, name: string): void {
    const first = this.#places[0];
    if (first !== undefined && first.dir === dir && first.name === name) return;
    this.removePlace(dir, name);
    this.#places.unshift({ dir, name });
    if (this.#places.length > MAX_PLACES) this.#places.pop();
  }

  removePlace(dir: ExportDir, name: string): void {
    this.#places = this.#places.filter((place) => place.dir !== dir || place.name !== name);
  }

  get hasPlace(): boolean {
    return this.#places.length > 0;
  }

  /**
   * The path below the export's root, by the names that were seen last.
   * @throws FsError ESTALE when there is none: names of before a move may lead in a circle.
   */
  get path(): string {
    const names: string[] = [];
    let node: ExportNode = this; // eslint-disable-line @typescript-eslint/no-this-alias -- the walk starts here
    while (node !== this.state.root) {
      const place: Place | undefined = node.#places[0];
      if (place === undefined || names.length === MAX_DEPTH) throw lost();
      names.push(place.name);
      node = place.dir;
    }
    return names.reverse().join('/');
  }

  /** Runs `work` at each known place until one answers something else than undefined. */
  protected atPlace<Result>(work: (dirFd: number, name: string) => Result | undefined): Result {
    const { tree } = this.state;
    for (const place of this.#places) {
      try {
        const result = tree.withDir(place.dir.path, (dirFd) => work(dirFd, place.name));
        if (result !== undefined) return result;
      } catch (thrown) {
        if (!LOST.has(hostErrorFrom(thrown).code)) throw thrown;
      }
    }
    throw lost();
  }

  protected hostStat(): HostStat {
    const { tree } = this.state;
    for (const fd of this.openFds) return (this.seen = tree.stat(fd, ''));
    // A caller that has reached it, perhaps by a descriptor, needs no right to see it.
    return (this.seen = tree.asSelf(() =>
      this.atPlace((dirFd, name) => {
        const found = tree.statIfThere(dirFd, name);
        return found !== undefined && this.is(found) ? found : undefined;
      }),
    ));
  }

  /** Runs `work` with a path that names this very inode and cannot be made to name another meanwhile. */
  protected withPath<Result>(work: (path: string) => Result): Result {
    for (const fd of this.openFds) return work(pathOfFd(fd));
    const { tree } = this.state;
    return this.atPlace((dirFd, name) => {
      const fd = tree.asSelf(() => tree.open(dirFd, name, O_PATH));
      try {
        return this.is(tree.stat(fd, '')) ? { result: work(pathOfFd(fd)) } : undefined;
      } finally {
        closeSync(fd);
      }
    }).result;
  }

  /** Gives the file one more name, `newName` in the open directory `newDirFd`. */
  linkTo(newDirFd: number, newName: string): void {
    const { tree } = this.state;
    if (!this.hasPlace && tree.native !== null)
      for (const fd of this.openFds) return tree.native.linkFd(fd, newDirFd, newName);
    this.atPlace((dirFd, name) => {
      if (!this.is(tree.stat(dirFd, name))) return undefined;
      linkSync(pathIn(dirFd, name), pathIn(newDirFd, newName));
      return true;
    });
  }

  cachedStat(): Stat {
    return this.state.statOf(this.seen, this.ino);
  }

  stat(op: Op): Awaitable<Stat> {
    return this.state.tree.run(op, () => this.state.statOf(this.hostStat(), this.ino));
  }

  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    this.state.checkWritable();
    return this.state.tree.run(op, () => {
      this.withPath((path) => applyChange(this.state, path, change, op, () => this.hostStat()));
      return this.state.statOf(this.hostStat(), this.ino);
    });
  }

  access(mask: number, op: Op): Awaitable<void> {
    const { tree } = this.state;
    if ((mask & W_OK) !== 0) this.state.checkWritable();
    tree.run(op, () => {
      const { native } = tree;
      const stat = this.hostStat();
      if (native !== null && this.hasPlace) {
        this.#access(native, mask);
      } else if (native !== null && this.openFds.size > 0) {
        for (const fd of this.openFds) return native.access(fd, '', mask);
      } else if (!mayAccess(stat, mask, op.caller)) {
        throw new FsError('EACCES', 'Permission denied.');
      }
    });
  }

  #access(native: Native, mask: number): void {
    const { tree } = this.state;
    this.atPlace((dirFd, name) => {
      const fd = tree.asSelf(() => tree.open(dirFd, name, O_PATH));
      try {
        native.access(fd, '', mask);
        return true;
      } finally {
        closeSync(fd);
      }
    });
  }

  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    const { tree } = this.state;
    const { native } = tree;
    if (native === null) throw withoutAttributes();
    if (name.startsWith(TRUSTED) && !tree.isRoot(op)) throw withoutAttribute(name);
    return tree.run(op, () => {
      if (ASKED_OF_ALL.test(name) && this.#isBare(native)) throw noAttributeError(name);
      return this.withPath((path) => native.getxattr(path, name));
    });
  }

  isBare(op: Op): boolean | undefined {
    const { tree } = this.state;
    const { native } = tree;
    return native === null || !this.hasPlace ? undefined : tree.run(op, () => this.#lookWhetherBare(native));
  }

  /** Whether it has no extended attributes at all; kept for as long as attributes are. */
  #isBare(native: Native): boolean {
    if (this.#bare !== undefined && performance.now() < this.#bare.untilMs) return this.#bare.is;
    return this.hasPlace && this.#lookWhetherBare(native);
  }

  #lookWhetherBare(native: Native): boolean {
    const now = performance.now();
    const { tree } = this.state;
    const is = tree.asSelf(() =>
      this.atPlace((dirFd, name) => {
        const names = native.listxattrIn(dirFd, name);
        return this.is(tree.stat(dirFd, name)) ? names.length === 0 : undefined;
      }),
    );
    this.#bare = { is, untilMs: now + BARE_MS };
    return is;
  }

  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void> {
    this.#changeAttribute(name, op, (path) => this.state.tree.native?.setxattr(path, name, value, flags));
  }

  listxattr(op: Op): Awaitable<readonly string[]> {
    const { tree } = this.state;
    const { native } = tree;
    if (native === null) return [];
    const names = tree.run(op, () => this.withPath((path) => native.listxattr(path)));
    return tree.isRoot(op) ? names : names.filter((name) => !name.startsWith(TRUSTED));
  }

  removexattr(name: string, op: Op): Awaitable<void> {
    this.#changeAttribute(name, op, (path) => this.state.tree.native?.removexattr(path, name));
  }

  #changeAttribute(name: string, op: Op, work: (path: string) => void): void {
    this.state.checkWritable();
    if (this.state.tree.native === null) throw withoutAttributes();
    if (!/^(user|system|security|trusted)\../.test(name))
      throw new FsError('EOPNOTSUPP', `There are no attributes like ${JSON.stringify(name)}.`, {
        hint: 'Attributes that programs may use are called user.NAME.',
      });
    if (!/^(user\.|system\.posix_acl_)/.test(name) && !this.state.tree.isRoot(op)) {
      throw new FsError(
        'EPERM',
        `The attribute ${JSON.stringify(name)} cannot be changed through an export.`,
        {
          hint: 'Only attributes in user.* and POSIX ACLs can be, but by root of the machine itself.',
        },
      );
    }
    this.#bare = undefined;
    this.state.tree.run(op, () => this.withPath(work));
  }

  statfs(op: Op): Awaitable<StatFs> {
    return this.state.tree.run(op, () => {
      const stats = statfsSync(pathOfFd(this.state.tree.rootFd), { bigint: true });
      return {
        blockSize: Number(stats.bsize),
        blocks: stats.blocks,
        blocksFree: stats.bfree,
        blocksAvailable: stats.bavail,
        files: stats.files,
        filesFree: stats.ffree,
        nameMax: 255,
      };
    });
  }
}

/** Applies `change` to the file at `path`, in the order in which none undoes another. */
export function applyChange(
  state: ExportState,
  path: string,
  change: AttrChange,
  op: Op,
  current: () => HostStat,
): void {
  const { size, mode, uid, gid, atimeNs, mtimeNs } = change;
  checkRemoteChange(change, op, state.tree.isRemoteRoot(op), current);
  if (size !== undefined) {
    if (state.tree.isRemoteRoot(op)) dropSetId(path, current());
    truncateSync(path, checkedSize(size));
  }
  if (uid !== undefined || gid !== undefined) chownSync(path, uid ?? -1, gid ?? -1);
  if (changesNothing(change)) chownToSame(path);
  if (mode !== undefined) chmodSync(path, mode & 0o7777);
  if (atimeNs === undefined && mtimeNs === undefined) return;
  const { native } = state.tree;
  if (native !== null) {
    native.setTimes(path, atimeNs, mtimeNs);
    return;
  }
  // Node takes seconds as a double: times are kept to about a microsecond.
  const known = current();
  const nowS = Date.now() / 1000;
  const seconds = (time: bigint | 'now' | undefined, else_: bigint): number =>
    time === 'now' ? nowS : Number(time ?? else_) / 1e9;
  utimesSync(path, seconds(atimeNs, known.atimeNs), seconds(mtimeNs, known.mtimeNs));
}

/**
 * A change of nothing is chown(2) to -1, -1, for which the host drops set-id bits; or the kernel's start of a write
 * by somebody for whom they should go: it is the write that takes them then.
 */
function chownToSame(path: string): void {
  try {
    chownSync(path, -1, -1);
  } catch (thrown) {
    if (hostErrorFrom(thrown).code !== 'EPERM') throw thrown;
  }
}

export function changesNothing(change: AttrChange): boolean {
  return Object.values(change).every((value) => value === undefined);
}

/**
 * Takes the set-id bits that a change of content by an unprivileged process would take, and one by root
 * leaves (chmod(2), inode(7)). Capabilities go with any change. Answers whether there were any.
 */
export function dropSetId(path: string, { mode }: HostStat): boolean {
  if ((mode & SET_ID_BITS) === 0) return false;
  chmodSync(path, mode & ~SET_ID_BITS);
  return true;
}

/** @throws FsError EFBIG for more bytes than can be counted exactly, which is more than a file can have */
export function checkedSize(size: number): number {
  if (Number.isSafeInteger(size)) return size;
  throw new FsError('EFBIG', 'No file can be that large.');
}

export function lost(): FsError {
  return quietError('ESTALE', 'It was moved, replaced or removed meanwhile.');
}

function withoutAttribute(name: string): FsError {
  return quietError('ENODATA', `There is no attribute ${JSON.stringify(name)}.`);
}

function withoutAttributes(): FsError {
  return new FsError('EOPNOTSUPP', 'Extended attributes are not available here.', {
    hint: 'They need the koffi package, which could not be loaded.',
  });
}
