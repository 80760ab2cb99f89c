import { FsError } from '../core/index.js';
import {
  chain,
  type AttrChange,
  type Awaitable,
  type Created,
  type DirEntry,
  type DirNode,
  type FileHandle,
  type FileNode,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type StatFs,
  type SymlinkNode,
} from '../vfs/index.js';

/** Finds a thing at the node that has it; undefined while that cannot be asked. */
export type FindFar = (op: Op) => Awaitable<Node> | undefined;

/**
 * What a node alone knows: each operation asks the node while it is there, and what stands in for the
 * thing while it is away. It need not be looked up again when the node goes or returns.
 */
abstract class Far<Kind extends FileNode | DirNode> {
  abstract readonly kind: Kind['kind'];
  readonly ino: bigint;
  readonly freshness: Freshness;
  protected readonly away: Kind;
  readonly #find: FindFar;

  constructor(find: FindFar, away: Kind) {
    this.#find = find;
    this.away = away;
    this.ino = away.ino;
    this.freshness = away.freshness;
  }

  stat(op: Op): Awaitable<Stat> {
    return this.look(op, (node) => node.stat(op));
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return this.ask(op, (node) => node.setattr(change, op));
  }
  access(mask: number, op: Op): Awaitable<void> {
    return this.look(op, (node) => node.access(mask, op));
  }
  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    return this.ask(op, (node) => node.getxattr(name, op));
  }
  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void> {
    return this.ask(op, (node) => node.setxattr(name, value, flags, op));
  }
  listxattr(op: Op): Awaitable<readonly string[]> {
    return this.ask(op, (node) => node.listxattr(op));
  }
  removexattr(name: string, op: Op): Awaitable<void> {
    return this.ask(op, (node) => node.removexattr(name, op));
  }
  statfs(op: Op): Awaitable<StatFs> {
    return this.ask(op, (node) => node.statfs(op));
  }

  /** The thing itself, or what stands in for it. */
  protected ask<T>(op: Op, use: (node: Kind) => Awaitable<T>): Awaitable<T> {
    const found = this.#find(op);
    return found === undefined ? use(this.away) : chain(found, (node) => use(this.#checked(node)));
  }

  /** The same for what begins nothing: a node that is lost meanwhile leaves it to what stands in for the thing. */
  protected look<T>(op: Op, use: (node: Kind) => Awaitable<T>): Awaitable<T> {
    const instead = (thrown: unknown): Awaitable<T> => {
      if (FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
      return use(this.away);
    };
    let answer: Awaitable<T>;
    try {
      answer = this.ask(op, use);
    } catch (thrown) {
      return instead(thrown);
    }
    return answer instanceof Promise ? answer.catch(instead) : answer;
  }

  /** A node may say anything; what it has here is a thing of this kind. */
  #checked(node: Node): Kind {
    if (node.kind === this.kind) return node as Kind;
    throw new FsError('EIO', 'The node has something else there than it said.');
  }
}

export class FarFile extends Far<FileNode> implements FileNode {
  readonly kind = 'file';
  readonly perOpen: boolean;

  constructor(find: FindFar, away: FileNode, perOpen = false) {
    super(find, away);
    this.perOpen = perOpen;
  }

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    return this.look(op, (file) => file.open(flags, op));
  }
}

export class FarDir extends Far<DirNode> implements DirNode {
  readonly kind = 'dir';

  lookup(name: string, op: Op): Awaitable<Node> {
    return this.ask(op, (dir) => dir.lookup(name, op));
  }
  list(op: Op): Awaitable<readonly DirEntry[]> {
    return this.ask(op, (dir) => dir.list(op));
  }
  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    return this.ask(op, (dir) => dir.create(name, flags, mode, op));
  }
  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode> {
    return this.ask(op, (dir) => dir.mkdir(name, mode, op));
  }
  unlink(name: string, op: Op): Awaitable<void> {
    return this.ask(op, (dir) => dir.unlink(name, op));
  }
  rmdir(name: string, op: Op): Awaitable<void> {
    return this.ask(op, (dir) => dir.rmdir(name, op));
  }
  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    return this.ask(op, (dir) => {
      if (!(toDir instanceof FarDir)) return dir.rename(name, toDir, toName, flags, op);
      return toDir.ask(op, (to) => dir.rename(name, to, toName, flags, op));
    });
  }
  link(target: Node, name: string, op: Op): Awaitable<Node> {
    return this.ask(op, (dir) => dir.link(target, name, op));
  }
  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode> {
    return this.ask(op, (dir) => dir.symlink(name, target, op));
  }
  fsync(op: Op): Awaitable<void> {
    return this.ask(op, (dir) => dir.fsync(op));
  }
}

/** An export's place: what is there is the node's to say, but not that it is there. */
export class FarRoot extends FarDir {
  override stat(op: Op): Awaitable<Stat> {
    return this.away.stat(op);
  }
  override access(mask: number, op: Op): Awaitable<void> {
    return this.away.access(mask, op);
  }
}
