import { basename } from 'node:path';
import { FsError } from '../../core/index.js';
import {
  chain,
  namesOfPath,
  walk,
  type AttrChange,
  type Awaitable,
  type DirNode,
  type Node,
  type Op,
  type Stat,
  type Vfs,
} from '../../vfs/index.js';
import { checkedBytes, checkedCount, checkedName, checkedText } from './native-checks.js';
import type { MountOptions } from '../binding.js';
import { HiddenFiles } from './native-hidden-files.js';
import type { NativeReply } from './native-library.js';
import { OpenFiles } from './native-open-files.js';
import { NativeRequests } from './native-requests.js';
import {
  nativeEntryStat,
  nativeStatFrom,
  nativeStatFsFrom,
  nativeOpenFlagsFrom,
  ownerChangeFrom,
  type NativeStat,
} from './native-stat.js';

type Reply = NativeReply;

/**
 * fuse-native's operations over a `Vfs`: finds the node that a path names, calls it, and answers through
 * `NativeRequests`. libfuse 2 speaks in paths; it does not pass on the caller, O_TRUNC, O_EXCL and rename's
 * flags. There is no `opendir`: libfuse answers it without asking.
 */
export class NativeHandlers {
  readonly requests: NativeRequests;
  readonly openFiles = new OpenFiles();
  readonly #vfs: Vfs;
  readonly #owner: MountOptions['owner'];
  readonly #linkRule: MountOptions['linkRule'];
  readonly #hidden = new HiddenFiles();

  constructor(vfs: Vfs, options: Pick<MountOptions, 'sessionOf' | 'log' | 'owner' | 'linkRule'>) {
    this.#vfs = vfs;
    this.#owner = options.owner;
    this.#linkRule = options.linkRule;
    this.requests = new NativeRequests(options);
  }

  // --- names

  #resolve(path: string, op: Op): Awaitable<Node> {
    return this.#hidden.get(path)?.node ?? walk(this.#vfs.root, path, op);
  }

  #inParent<T>(path: string, op: Op, act: (parent: DirNode, name: string) => Awaitable<T>): Awaitable<T> {
    const names = namesOfPath(path);
    const name = names.pop();
    if (name === undefined) throw new FsError('EBUSY', 'The root of the mount cannot be changed.');
    return chain(walk(this.#vfs.root, names.join('/'), op), (parent) => {
      if (parent.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is not in a directory.`);
      return act(parent, name);
    });
  }

  #directory(path: string, op: Op): Awaitable<DirNode> {
    return chain(this.#resolve(path, op), (node) => {
      if (node.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is not a directory.`);
      return node;
    });
  }

  // --- attributes

  /**
   * fstat(2) arrives as a path, like stat(2). One open, one document: while a file is open, its attributes
   * are those of what the descriptor that was opened last shows, or `st_size` would not be what it reads.
   */
  #stat(path: string, op: Op): Awaitable<NativeStat> {
    return chain(this.#resolve(path, op), (node) => {
      const open = node.kind === 'file' ? this.openFiles.latestOf(node.ino) : undefined;
      return chain((open?.handle ?? this.#hidden.get(path)?.handle ?? node).stat(op), this.#nativeStat);
    });
  }

  readonly #nativeStat = (stat: Stat): NativeStat => nativeStatFrom(stat, this.#owner);

  #setattr(path: string, change: AttrChange, op: Op): Awaitable<unknown> {
    const hidden = this.#hidden.get(path);
    if (hidden !== undefined) return hidden.handle.setattr(change, op);
    return chain(this.#resolve(path, op), (node) => node.setattr(change, op));
  }

  getattr(path: string, reply: Reply): void {
    this.requests.quick('getattr', reply, (op) => this.#stat(path, op));
  }

  /** As `getattr`, for the one descriptor; libfuse knows it right after create(2). */
  fgetattr(path: string, fd: number, reply: Reply): void {
    this.requests.quick('fgetattr', reply, (op) =>
      fd === 0 ? this.#stat(path, op) : chain(this.openFiles.get(fd).handle.stat(op), this.#nativeStat),
    );
  }

  access(path: string, mask: number, reply: Reply): void {
    this.requests.quick('access', reply, (op) =>
      chain(this.#resolve(path, op), (node) => node.access(mask, op)),
    );
  }

  chmod(path: string, mode: number, reply: Reply): void {
    this.requests.quick('chmod', reply, (op) => this.#setattr(path, { mode: mode & 0o7777 }, op));
  }

  chown(path: string, uid: number, gid: number, reply: Reply): void {
    this.requests.quick('chown', reply, (op) => this.#setattr(path, ownerChangeFrom(uid, gid), op));
  }

  utimens(path: string, atimeMs: number, mtimeMs: number, reply: Reply): void {
    const change = { atimeNs: BigInt(atimeMs) * 1_000_000n, mtimeNs: BigInt(mtimeMs) * 1_000_000n };
    this.requests.quick('utimens', reply, (op) => this.#setattr(path, change, op));
  }

  /**
   * truncate(2), and what is left of an O_TRUNC that was just opened: that descriptor decides, since
   * truncating a control file on the way to writing it means nothing.
   */
  truncate(path: string, size: number, reply: Reply): void {
    this.requests.quick('truncate', reply, (op) =>
      chain(this.#resolve(path, op), (node) =>
        (this.openFiles.latestWritableOf(node.ino)?.handle ?? node).setattr({ size }, op),
      ),
    );
  }

  ftruncate(_path: string, fd: number, size: number, reply: Reply): void {
    this.requests.quick('ftruncate', reply, (op) => this.openFiles.get(fd).handle.setattr({ size }, op));
  }

  statfs(path: string, reply: Reply): void {
    this.requests.quick('statfs', reply, (op) =>
      chain(
        chain(this.#resolve(path, op), (node) => node.statfs(op)),
        nativeStatFsFrom,
      ),
    );
  }

  getxattr(path: string, name: string, reply: Reply): void {
    this.requests.quick('getxattr', reply, (op) =>
      chain(
        chain(this.#resolve(path, op), (node) => node.getxattr(name, op)),
        checkedBytes,
      ),
    );
  }

  setxattr(path: string, name: string, value: Buffer, _at: number, flags: number, reply: Reply): void {
    this.requests.quick('setxattr', reply, (op) =>
      // The bytes are the caller's until the reply; a tree may keep what it is given here.
      chain(this.#resolve(path, op), (node) => node.setxattr(name, Buffer.from(value), flags, op)),
    );
  }

  listxattr(path: string, reply: Reply): void {
    this.requests.quick('listxattr', reply, (op) =>
      chain(
        chain(this.#resolve(path, op), (node) => node.listxattr(op)),
        (names) => names.map(checkedText),
      ),
    );
  }

  removexattr(path: string, name: string, reply: Reply): void {
    this.requests.quick('removexattr', reply, (op) =>
      chain(this.#resolve(path, op), (node) => node.removexattr(name, op)),
    );
  }

  // --- directories

  readdir(path: string, reply: Reply): void {
    this.requests.quick(
      'readdir',
      (errno, value) => {
        const listing = value as { names: string[]; stats: Partial<NativeStat>[] } | undefined;
        if (listing === undefined) reply(errno);
        else reply(errno, listing.names, listing.stats);
      },
      (op) =>
        chain(this.#directory(path, op), (dir) =>
          chain(dir.list(op), (entries) => {
            const self = nativeEntryStat('dir', dir.ino);
            const names = ['.', '..'];
            const stats = [self, self];
            for (const entry of entries) {
              names.push(checkedName(entry.name));
              stats.push(nativeEntryStat(entry.kind, entry.ino));
            }
            return { names, stats };
          }),
        ),
    );
  }

  mkdir(path: string, mode: number, reply: Reply): void {
    this.requests.quick('mkdir', reply, (op) =>
      this.#inParent(path, op, (parent, name) => parent.mkdir(name, mode & 0o7777, op)),
    );
  }

  rmdir(path: string, reply: Reply): void {
    this.requests.quick('rmdir', reply, (op) =>
      this.#inParent(path, op, (parent, name) => parent.rmdir(name, op)),
    );
  }

  unlink(path: string, reply: Reply): void {
    this.requests.quick('unlink', reply, (op) =>
      this.#hidden.forget(path)
        ? undefined
        : this.#inParent(path, op, (parent, name) => parent.unlink(name, op)),
    );
  }

  rename(from: string, to: string, reply: Reply): void {
    this.requests.quick('rename', reply, (op) =>
      this.#inParent(from, op, (fromDir, fromName) => {
        if (HiddenFiles.isHiding(from, to)) {
          return chain(fromDir.lookup(fromName, op), (node) => {
            const open = this.openFiles.latestOf(node.ino);
            if (open === undefined) return fromDir.rename(fromName, fromDir, basename(to), 0, op);
            return chain(fromDir.unlink(fromName, op), () => this.#hidden.add(to, open));
          });
        }
        return this.#inParent(to, op, (toDir, toName) =>
          chain(fromDir.rename(fromName, toDir, toName, 0, op), () => this.#hidden.moved(from, to)),
        );
      }),
    );
  }

  link(from: string, to: string, reply: Reply): void {
    this.requests.quick('link', reply, (op) =>
      chain(this.#resolve(from, op), (target) =>
        this.#inParent(to, op, (parent, name) => parent.link(target, name, op)),
      ),
    );
  }

  symlink(target: string, path: string, reply: Reply): void {
    this.requests.quick('symlink', reply, (op) =>
      this.#inParent(path, op, (parent, name) => parent.symlink(name, target, op)),
    );
  }

  readlink(path: string, reply: Reply): void {
    this.requests.quick('readlink', reply, (op) =>
      chain(this.#resolve(path, op), (node) => {
        if (node.kind !== 'symlink') throw new FsError('EINVAL', `${path} is not a symbolic link.`);
        return chain(node.readlink(op), (target) => {
          this.#linkRule?.(namesOfPath(path), target);
          return checkedText(target);
        });
      }),
    );
  }

  mknod(_path: string, _mode: number, _device: number, reply: Reply): void {
    this.requests.quick('mknod', reply, () => {
      throw new FsError('EPERM', 'Devices, sockets and pipes cannot be made here.');
    });
  }

  fsyncdir(path: string, _dataOnly: number, _fd: number, reply: Reply): void {
    this.requests.patient('fsyncdir', reply, (op) =>
      chain(this.#directory(path, op), (dir) => dir.fsync(op)),
    );
  }

  // --- files

  open(path: string, flags: number, reply: Reply): void {
    const openFlags = nativeOpenFlagsFrom(flags);
    this.requests.quick('open', reply, (op) =>
      chain(this.#resolve(path, op), (node) => {
        if (node.kind === 'dir') throw new FsError('EISDIR', `${path} is a directory.`);
        if (node.kind === 'symlink') throw new FsError('ELOOP', `${path} is a symbolic link.`);
        return chain(node.open(openFlags, op), (handle) =>
          this.openFiles.add({ node, handle, writable: openFlags.write }),
        );
      }),
    );
  }

  /** No flags arrive here, so the descriptor can do both. */
  create(path: string, mode: number, reply: Reply): void {
    const flags = { read: true, write: true, append: false, truncate: false, exclusive: false };
    this.requests.quick('create', reply, (op) =>
      this.#inParent(path, op, (parent, name) =>
        chain(parent.create(name, flags, mode & 0o7777, op), ({ node, handle }) =>
          this.openFiles.add({ node, handle, writable: true }),
        ),
      ),
    );
  }

  read(_path: string, fd: number, space: Buffer, length: number, at: number, reply: Reply): void {
    this.requests.patient('read', countReply(reply), (op) =>
      chain(this.openFiles.get(fd).handle.read(at, length, op), (bytes) => {
        const fitting = checkedBytes(bytes).subarray(0, length);
        space.set(fitting);
        return fitting.byteLength;
      }),
    );
  }

  write(_path: string, fd: number, data: Buffer, length: number, at: number, reply: Reply): void {
    this.requests.patient('write', countReply(reply), (op) =>
      chain(this.openFiles.get(fd).handle.write(at, data.subarray(0, length), op), (count) =>
        checkedCount(count, length),
      ),
    );
  }

  flush(_path: string, fd: number, reply: Reply): void {
    this.requests.patient('flush', reply, (op) => this.openFiles.get(fd).handle.flush?.(op));
  }

  fsync(_path: string, dataOnly: number, fd: number, reply: Reply): void {
    this.requests.patient('fsync', reply, (op) => this.openFiles.get(fd).handle.fsync(dataOnly !== 0, op));
  }

  release(_path: string, fd: number, reply: Reply): void {
    this.requests.patient('release', reply, () => this.openFiles.take(fd)?.handle.release());
  }
}

/** fuse-native takes the result of read and write, bytes or errno, in the first place. */
function countReply(reply: Reply): Reply {
  return (errno, count) => reply(errno === 0 ? (count as number) : errno);
}
