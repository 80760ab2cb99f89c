import {
  type AttrChange,
  type Awaitable,
  type Created,
  type DirEntry,
  type DirNode,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type StatFs,
  type SymlinkNode,
} from '../../vfs/index.js';

/** The root of a relayed tree: each session sees its own through it. */
export class RelayRoot implements DirNode {
  readonly kind = 'dir';
  readonly freshness = 'announced';
  readonly ino: bigint;
  readonly #rootOf: (op: Op) => DirNode;

  constructor(ino: bigint, rootOf: (op: Op) => DirNode) {
    this.ino = ino;
    this.#rootOf = rootOf;
  }

  stat(op: Op): Awaitable<Stat> {
    return this.#rootOf(op).stat(op);
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return this.#rootOf(op).setattr(change, op);
  }
  access(mask: number, op: Op): Awaitable<void> {
    return this.#rootOf(op).access(mask, op);
  }
  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    return this.#rootOf(op).getxattr(name, op);
  }
  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void> {
    return this.#rootOf(op).setxattr(name, value, flags, op);
  }
  listxattr(op: Op): Awaitable<readonly string[]> {
    return this.#rootOf(op).listxattr(op);
  }
  removexattr(name: string, op: Op): Awaitable<void> {
    return this.#rootOf(op).removexattr(name, op);
  }
  statfs(op: Op): Awaitable<StatFs> {
    return this.#rootOf(op).statfs(op);
  }
  lookup(name: string, op: Op): Awaitable<Node> {
    return this.#rootOf(op).lookup(name, op);
  }
  list(op: Op): Awaitable<readonly DirEntry[]> {
    return this.#rootOf(op).list(op);
  }
  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    return this.#rootOf(op).create(name, flags, mode, op);
  }
  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode> {
    return this.#rootOf(op).mkdir(name, mode, op);
  }
  unlink(name: string, op: Op): Awaitable<void> {
    return this.#rootOf(op).unlink(name, op);
  }
  rmdir(name: string, op: Op): Awaitable<void> {
    return this.#rootOf(op).rmdir(name, op);
  }
  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    const to = toDir instanceof RelayRoot ? toDir.#rootOf(op) : toDir;
    return this.#rootOf(op).rename(name, to, toName, flags, op);
  }
  link(target: Node, name: string, op: Op): Awaitable<Node> {
    return this.#rootOf(op).link(target, name, op);
  }
  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode> {
    return this.#rootOf(op).symlink(name, target, op);
  }
  fsync(op: Op): Awaitable<void> {
    return this.#rootOf(op).fsync(op);
  }
}
