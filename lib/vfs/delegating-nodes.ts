import { FsError } from '../core/index.js';
import type {
  AttrChange,
  Awaitable,
  Created,
  DirEntry,
  DirNode,
  FileHandle,
  FileNode,
  Freshness,
  Node,
  NodeBase,
  OpenFlags,
  Op,
  Stat,
  StatFs,
  SymlinkNode,
} from './types.js';

/** Finds the node that is meant this time, and does something with it. */
export interface Delegate<Kind extends FileNode | DirNode> {
  ask<T>(op: Op, use: (node: Kind) => Awaitable<T>): Awaitable<T>;
  /** The same for what begins nothing. */
  look<T>(op: Op, use: (node: Kind) => Awaitable<T>): Awaitable<T>;
}

/**
 * A node that stands for another one, which each operation finds anew: the caller decides, or whether a machine is
 * there. What is remembered of the other from one operation to the next (`cachedStat`, `isBare`, `leftMs`, `lookupSync`) is left
 * out for that reason.
 */
abstract class DelegatingNode<Kind extends FileNode | DirNode> {
  readonly ino: bigint;
  readonly freshness: Freshness;
  protected readonly delegate: Delegate<Kind>;

  constructor({ ino, freshness }: Pick<NodeBase, 'ino' | 'freshness'>, delegate: Delegate<Kind>) {
    this.ino = ino;
    this.freshness = freshness;
    this.delegate = delegate;
  }

  stat(op: Op): Awaitable<Stat> {
    return this.delegate.look(op, (node) => node.stat(op));
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return this.delegate.ask(op, (node) => node.setattr(change, op));
  }
  access(mask: number, op: Op): Awaitable<void> {
    return this.delegate.look(op, (node) => node.access(mask, op));
  }
  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    return this.delegate.ask(op, (node) => node.getxattr(name, op));
  }
  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void> {
    return this.delegate.ask(op, (node) => node.setxattr(name, value, flags, op));
  }
  listxattr(op: Op): Awaitable<readonly string[]> {
    return this.delegate.ask(op, (node) => node.listxattr(op));
  }
  removexattr(name: string, op: Op): Awaitable<void> {
    return this.delegate.ask(op, (node) => node.removexattr(name, op));
  }
  statfs(op: Op): Awaitable<StatFs> {
    return this.delegate.ask(op, (node) => node.statfs(op));
  }
}

export class DelegatingFile extends DelegatingNode<FileNode> implements FileNode {
  readonly kind = 'file';

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    return this.delegate.look(op, (file) => file.open(flags, op));
  }
}

export class DelegatingDir extends DelegatingNode<DirNode> implements DirNode {
  readonly kind = 'dir';

  lookup(name: string, op: Op): Awaitable<Node> {
    return this.delegate.ask(op, (dir) => dir.lookup(name, op));
  }
  list(op: Op): Awaitable<readonly DirEntry[]> {
    return this.delegate.ask(op, (dir) => dir.list(op));
  }
  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    return this.delegate.ask(op, (dir) => dir.create(name, flags, mode, op));
  }
  /** @throws FsError EOPNOTSUPP where the other offers none, as for a directory without the method */
  tmpfile(flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    return this.delegate.ask(op, (dir) => {
      if (dir.tmpfile === undefined) throw new FsError('EOPNOTSUPP', 'A file must have a name here.');
      return dir.tmpfile(flags, mode, op);
    });
  }
  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode> {
    return this.delegate.ask(op, (dir) => dir.mkdir(name, mode, op));
  }
  /** @throws FsError EPERM where the other offers none, as for a directory without the method */
  mknod(name: string, special: 'pipe' | 'socket', mode: number, op: Op): Awaitable<FileNode> {
    return this.delegate.ask(op, (dir) => {
      if (dir.mknod === undefined) throw new FsError('EPERM', 'Pipes and sockets cannot be made here.');
      return dir.mknod(name, special, mode, op);
    });
  }
  unlink(name: string, op: Op): Awaitable<void> {
    return this.delegate.ask(op, (dir) => dir.unlink(name, op));
  }
  rmdir(name: string, op: Op): Awaitable<void> {
    return this.delegate.ask(op, (dir) => dir.rmdir(name, op));
  }
  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    return this.delegate.ask(op, (dir) =>
      toDir instanceof DelegatingDir
        ? toDir.delegate.ask(op, (to) => dir.rename(name, to, toName, flags, op))
        : dir.rename(name, toDir, toName, flags, op),
    );
  }
  link(target: Node, name: string, op: Op): Awaitable<Node> {
    return this.delegate.ask(op, (dir) => dir.link(target, name, op));
  }
  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode> {
    return this.delegate.ask(op, (dir) => dir.symlink(name, target, op));
  }
  fsync(op: Op): Awaitable<void> {
    return this.delegate.ask(op, (dir) => dir.fsync(op));
  }
}
