import { FsError } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  GuardedHandle,
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
  type SpecialKind,
  type Stat,
  type StatFs,
  type SymlinkNode,
  type Vfs,
} from '../vfs/index.js';

/** Asked for each operation, so that a right that is given or withdrawn counts at once. */
export interface ExportRights {
  mayRead(session: Session): boolean;
  mayWrite(session: Session): boolean;
  /** Somebody tried to write who may not. */
  denied?(session: Session): void;
}

/**
 * `vfs` as a session with these rights sees it: without `read` nothing is there (ENOENT); without `write`
 * nothing has write bits, and what would change it is EACCES. Both hold for descriptors that are open, which
 * answer EACCES. Closing it closes `vfs`.
 */
export function guardExport(vfs: Vfs, rights: ExportRights): Vfs {
  const guard = new Guard(rights);
  return {
    root: guard.dir(vfs.root),
    changes: vfs.changes,
    close: () => vfs.close(),
  };
}

const WRITE_BITS = 0o222;
const W_OK = 2;

function hidden(): FsError {
  return new FsError('ENOENT', 'There is no such thing here.');
}

function forbidden(): FsError {
  return new FsError('EACCES', 'This session may not do that here.', {
    hint: 'Ask an admin for the right to write to this export.',
  });
}

/** The rights, and the guarded twin of each node: one for one, so that identity is kept. */
class Guard {
  readonly rights: ExportRights;
  readonly #twins = new WeakMap<Node, Node>();

  constructor(rights: ExportRights) {
    this.rights = rights;
  }

  node(inner: Node): Node {
    if (inner.kind === 'dir') return this.dir(inner);
    return inner.kind === 'file' ? this.file(inner) : this.symlink(inner);
  }

  dir(inner: DirNode): GuardedDir {
    return this.#twin(inner, () => new GuardedDir(this, inner));
  }

  file(inner: FileNode): GuardedFile {
    return this.#twin(inner, () => new GuardedFile(this, inner));
  }

  symlink(inner: SymlinkNode): GuardedSymlink {
    return this.#twin(inner, () => new GuardedSymlink(this, inner));
  }

  #twin<Twin extends Node>(inner: Node, make: () => Twin): Twin {
    let twin = this.#twins.get(inner);
    if (twin === undefined) this.#twins.set(inner, (twin = make()));
    return twin as Twin;
  }

  look(op: Op): void {
    if (!this.rights.mayRead(op.session)) throw hidden();
  }

  change(op: Op): void {
    this.look(op);
    if (this.rights.mayWrite(op.session)) return;
    this.rights.denied?.(op.session);
    throw forbidden();
  }

  /** Without write bits for a session that may not write. */
  stat(stat: Awaitable<Stat>, op: Op): Awaitable<Stat> {
    return whenKnown(stat, (known) => this.shown(known, op));
  }

  shown(stat: Stat, op: Op): Stat {
    return this.rights.mayWrite(op.session) ? stat : { ...stat, mode: stat.mode & ~WRITE_BITS };
  }

  handle(inner: FileHandle): FileHandle {
    return new GuardedExportHandle(this, inner);
  }
}

function whenKnown<Value, Result>(
  value: Awaitable<Value>,
  next: (value: Value) => Result,
): Awaitable<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}

class GuardedExportHandle extends GuardedHandle {
  readonly #guard: Guard;

  constructor(guard: Guard, inner: FileHandle) {
    super(inner, ({ session }, writes) => {
      const { rights } = guard;
      if (!rights.mayRead(session) || (writes && !rights.mayWrite(session))) throw forbidden();
    });
    this.#guard = guard;
  }

  override stat(op: Op): Awaitable<Stat> {
    return this.#guard.stat(super.stat(op), op);
  }
}

abstract class GuardedNode<Inner extends Node> {
  readonly inner: Inner;
  readonly ino: bigint;
  readonly freshness: Freshness;
  readonly guard: Guard;

  constructor(guard: Guard, inner: Inner) {
    this.guard = guard;
    this.inner = inner;
    this.ino = inner.ino;
    this.freshness = inner.freshness;
  }

  cachedStat(op: Op): Stat | undefined {
    const stat = this.inner.cachedStat?.(op);
    return stat === undefined ? undefined : this.guard.shown(stat, op);
  }
  leftMs(): number {
    return this.inner.leftMs?.() ?? Infinity;
  }
  stat(op: Op): Awaitable<Stat> {
    this.guard.look(op);
    return this.guard.stat(this.inner.stat(op), op);
  }
  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    this.guard.change(op);
    return this.inner.setattr(change, op);
  }
  access(mask: number, op: Op): Awaitable<void> {
    this.guard.look(op);
    if ((mask & W_OK) !== 0 && !this.guard.rights.mayWrite(op.session)) throw forbidden();
    return this.inner.access(mask, op);
  }
  getxattr(name: string, op: Op): Awaitable<Uint8Array> {
    this.guard.look(op);
    return this.inner.getxattr(name, op);
  }
  setxattr(name: string, value: Uint8Array, flags: number, op: Op): Awaitable<void> {
    this.guard.change(op);
    return this.inner.setxattr(name, value, flags, op);
  }
  listxattr(op: Op): Awaitable<readonly string[]> {
    this.guard.look(op);
    return this.inner.listxattr(op);
  }
  removexattr(name: string, op: Op): Awaitable<void> {
    this.guard.change(op);
    return this.inner.removexattr(name, op);
  }
  statfs(op: Op): Awaitable<StatFs> {
    this.guard.look(op);
    return this.inner.statfs(op);
  }
}

class GuardedSymlink extends GuardedNode<SymlinkNode> implements SymlinkNode {
  readonly kind = 'symlink';

  readlink(op: Op): Awaitable<string> {
    this.guard.look(op);
    return this.inner.readlink(op);
  }
}

class GuardedFile extends GuardedNode<FileNode> implements FileNode {
  readonly kind = 'file';

  get special(): SpecialKind | undefined {
    return this.inner.special;
  }

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    if (flags.write || flags.truncate) this.guard.change(op);
    else this.guard.look(op);
    return whenKnown(this.inner.open(flags, op), (handle) => this.guard.handle(handle));
  }
}

function withoutSpecial(): FsError {
  return new FsError('EPERM', 'Pipes and sockets cannot be made here.');
}

function withoutTmpfile(): FsError {
  return new FsError('EOPNOTSUPP', 'A file must have a name here.');
}

class GuardedDir extends GuardedNode<DirNode> implements DirNode {
  readonly kind = 'dir';

  lookup(name: string, op: Op): Awaitable<Node> {
    this.guard.look(op);
    return whenKnown(this.inner.lookup(name, op), (node) => this.guard.node(node));
  }
  lookupSync(name: string, op: Op): Node | undefined {
    this.guard.look(op);
    const node = this.inner.lookupSync?.(name, op);
    return node === undefined ? undefined : this.guard.node(node);
  }
  list(op: Op): Awaitable<readonly DirEntry[]> {
    this.guard.look(op);
    return whenKnown(this.inner.list(op), (entries) =>
      entries.some(({ node }) => node !== undefined)
        ? entries.map((entry) =>
            entry.node === undefined ? entry : { ...entry, node: this.guard.node(entry.node) },
          )
        : entries,
    );
  }
  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    this.guard.change(op);
    return whenKnown(this.inner.create(name, flags, mode, op), (created) => this.#created(created));
  }
  tmpfile(flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    this.guard.change(op);
    if (this.inner.tmpfile === undefined) throw withoutTmpfile();
    return whenKnown(this.inner.tmpfile(flags, mode, op), (created) => this.#created(created));
  }
  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode> {
    this.guard.change(op);
    return whenKnown(this.inner.mkdir(name, mode, op), (node) => this.guard.dir(node));
  }
  mknod(name: string, special: 'pipe' | 'socket', mode: number, op: Op): Awaitable<FileNode> {
    this.guard.change(op);
    if (this.inner.mknod === undefined) throw withoutSpecial();
    return whenKnown(this.inner.mknod(name, special, mode, op), (node) => this.guard.file(node));
  }
  unlink(name: string, op: Op): Awaitable<void> {
    this.guard.change(op);
    return this.inner.unlink(name, op);
  }
  rmdir(name: string, op: Op): Awaitable<void> {
    this.guard.change(op);
    return this.inner.rmdir(name, op);
  }
  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    this.guard.change(op);
    return this.inner.rename(name, this.#own(toDir).inner, toName, flags, op);
  }
  link(target: Node, name: string, op: Op): Awaitable<Node> {
    this.guard.change(op);
    return whenKnown(this.inner.link(this.#own(target).inner, name, op), (node) => this.guard.node(node));
  }
  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode> {
    this.guard.change(op);
    return whenKnown(this.inner.symlink(name, target, op), (node) => this.guard.symlink(node));
  }
  fsync(op: Op): Awaitable<void> {
    this.guard.look(op);
    return this.inner.fsync(op);
  }

  #created({ node, handle }: Created): Created {
    return { node: this.guard.file(node), handle: this.guard.handle(handle) };
  }

  #own<Other extends Node>(node: Other): GuardedNode<Other> {
    if (node instanceof GuardedNode && node.guard === this.guard) return node as GuardedNode<Other>;
    throw new FsError('EXDEV', 'It belongs to another part of the tree.', {
      hint: 'Copy it instead; mv does so by itself.',
    });
  }
}
