import { FsError } from '../core/index.js';
import { chain } from './awaitable.js';
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
  OpenFlags,
  Op,
  SpecialKind,
  Stat,
  StatFs,
  SymlinkNode,
} from './types.js';

/**
 * What a tree does to another that it stands in front of. The nodes below pass all on to those of the other,
 * after `look`, `change` or `checkAccess`, each of which throws what the caller is to see instead.
 */
export interface Wrapper {
  look(op: Op): void;
  change(op: Op): void;
  checkAccess(mask: number, op: Op): void;
  /** The attributes as the caller is to see them. */
  shown(stat: Stat, op: Op): Stat;
  /** One twin for each node, so that identity is kept. */
  dir(inner: DirNode): DirNode;
  file(inner: FileNode): FileNode;
  symlink(inner: SymlinkNode): SymlinkNode;
  handle(inner: FileHandle): FileHandle;
}

/** What passes on; the base of nodes that wrap, so that none of them forgets a method of the interface. */
abstract class ForwardingNode<Inner extends Node> {
  readonly inner: Inner;
  readonly wrapper: Wrapper;
  readonly ino: bigint;
  readonly freshness: Freshness;

  constructor(wrapper: Wrapper, inner: Inner) {
    this.wrapper = wrapper;
    this.inner = inner;
    this.ino = inner.ino;
    this.freshness = inner.freshness;
  }

  cachedStat(op: Op): Stat | undefined {
    const stat = this.inner.cachedStat?.(op);
    return stat === undefined ? undefined : this.wrapper.shown(stat, op);
  }
  isBare(op: Op): boolean | undefined {
    return this.inner.isBare?.(op);
  }
  leftMs(): number {
    return this.inner.leftMs?.() ?? Infinity;
  }
  stat(op: Op): Awaitable<Stat> {
    this.wrapper.look(op);
    return chain(this.inner.stat(op), (stat) => this.wrapper.shown(stat, op));
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    this.wrapper.change(op);
    return this.inner.setattr(change, op);
  }
  access(mask: number, op: Op): Awaitable<void> {
    this.wrapper.checkAccess(mask, op);
    return this.inner.access(mask, op);
  }
  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    this.wrapper.look(op);
    return this.inner.getxattr(name, op);
  }
  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void> {
    this.wrapper.change(op);
    return this.inner.setxattr(name, value, flags, op);
  }
  listxattr(op: Op): Awaitable<readonly string[]> {
    this.wrapper.look(op);
    return this.inner.listxattr(op);
  }
  removexattr(name: string, op: Op): Awaitable<void> {
    this.wrapper.change(op);
    return this.inner.removexattr(name, op);
  }
  statfs(op: Op): Awaitable<StatFs> {
    this.wrapper.look(op);
    return this.inner.statfs(op);
  }
}

export class ForwardingSymlink extends ForwardingNode<SymlinkNode> implements SymlinkNode {
  readonly kind = 'symlink';

  readlink(op: Op): Awaitable<string> {
    this.wrapper.look(op);
    return this.inner.readlink(op);
  }
}

export class ForwardingFile extends ForwardingNode<FileNode> implements FileNode {
  readonly kind = 'file';
  get special(): SpecialKind | undefined {
    return this.inner.special;
  }
  get perOpen(): boolean {
    return this.inner.perOpen === true;
  }
  lastKnownStat(): Stat | undefined {
    return this.inner.lastKnownStat?.();
  }
  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    if (flags.write || flags.truncate) this.wrapper.change(op);
    else this.wrapper.look(op);
    return chain(this.inner.open(flags, op), (handle) => this.wrapper.handle(handle));
  }
}

export class ForwardingDir extends ForwardingNode<DirNode> implements DirNode {
  readonly kind = 'dir';
  lookup(name: string, op: Op): Awaitable<Node> {
    this.wrapper.look(op);
    return chain(this.inner.lookup(name, op), (node) => this.#twin(node));
  }
  lookupSync(name: string, op: Op): Node | undefined {
    this.wrapper.look(op);
    const node = this.inner.lookupSync?.(name, op);
    return node === undefined ? undefined : this.#twin(node);
  }
  list(op: Op): Awaitable<readonly DirEntry[]> {
    this.wrapper.look(op);
    return chain(this.inner.list(op), (entries) =>
      entries.some(({ node }) => node !== undefined)
        ? entries.map((entry) =>
            entry.node === undefined ? entry : { ...entry, node: this.#twin(entry.node) },
          )
        : entries,
    );
  }
  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    this.wrapper.change(op);
    return chain(this.inner.create(name, flags, mode, op), (created) => this.#created(created));
  }
  /** @throws FsError EOPNOTSUPP where the other offers none, as for a directory without the method */
  tmpfile(flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    this.wrapper.change(op);
    if (this.inner.tmpfile === undefined) throw new FsError('EOPNOTSUPP', 'A file must have a name here.');
    return chain(this.inner.tmpfile(flags, mode, op), (created) => this.#created(created));
  }
  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode> {
    this.wrapper.change(op);
    return chain(this.inner.mkdir(name, mode, op), (node) => this.wrapper.dir(node));
  }
  /** @throws FsError EPERM where the other offers none, as for a directory without the method */
  mknod(name: string, special: 'pipe' | 'socket', mode: number, op: Op): Awaitable<FileNode> {
    this.wrapper.change(op);
    if (this.inner.mknod === undefined) throw new FsError('EPERM', 'Pipes and sockets cannot be made here.');
    return chain(this.inner.mknod(name, special, mode, op), (node) => this.wrapper.file(node));
  }
  unlink(name: string, op: Op): Awaitable<void> {
    this.wrapper.change(op);
    return this.inner.unlink(name, op);
  }
  rmdir(name: string, op: Op): Awaitable<void> {
    this.wrapper.change(op);
    return this.inner.rmdir(name, op);
  }
  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    this.wrapper.change(op);
    return this.inner.rename(name, this.#innerOf(toDir), toName, flags, op);
  }
  link(target: Node, name: string, op: Op): Awaitable<Node> {
    this.wrapper.change(op);
    return chain(this.inner.link(this.#innerOf(target), name, op), (node) => this.#twin(node));
  }
  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode> {
    this.wrapper.change(op);
    return chain(this.inner.symlink(name, target, op), (node) => this.wrapper.symlink(node));
  }
  fsync(op: Op): Awaitable<void> {
    this.wrapper.look(op);
    return this.inner.fsync(op);
  }

  #created({ node, handle }: Created): Created {
    return { node: this.wrapper.file(node), handle: this.wrapper.handle(handle) };
  }

  #twin(node: Node): Node {
    const { wrapper } = this;
    if (node.kind === 'dir') return wrapper.dir(node);
    return node.kind === 'file' ? wrapper.file(node) : wrapper.symlink(node);
  }

  #innerOf<Other extends Node>(node: Other): Other {
    if (node instanceof ForwardingNode && node.wrapper === this.wrapper)
      return (node as ForwardingNode<Other>).inner;
    throw new FsError('EXDEV', 'It belongs to another part of the tree.', {
      hint: 'Copy it instead; mv does so by itself.',
    });
  }
}
