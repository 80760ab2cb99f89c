import { Emitter, FsError } from '../../lib/core/index.js';
import {
  BaseFile,
  BaseSymlink,
  checkAccess,
  newIno,
  ReadOnlyDir,
  ReadOnlyHandle,
  type AttrChange,
  type Change,
  type Created,
  type DirEntry,
  type DirNode,
  type Freshness,
  type Node,
  type NodeKind,
  type OpenFlags,
  type Stat,
  type StatFs,
  type SymlinkNode,
  type Vfs,
} from '../../lib/vfs/index.js';

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** What the nodes of a memory tree share: attributes that can be set, xattrs, and the way to announce changes. */
class Facts {
  readonly ino = newIno();
  readonly xattrs = new Map<string, Uint8Array>();
  uid: number | null = null;
  gid: number | null = null;
  nlink = 1;
  atimeNs = now();
  mtimeNs = this.atimeNs;
  ctimeNs = this.atimeNs;

  constructor(
    readonly kind: NodeKind,
    public mode: number,
    readonly changes: Emitter<Change>,
  ) {}

  stat(size: number): Stat {
    const { ino, kind, mode, nlink, uid, gid, atimeNs, mtimeNs, ctimeNs } = this;
    return { ino, kind, mode, nlink, uid, gid, size, atimeNs, mtimeNs, ctimeNs };
  }

  apply(change: AttrChange): void {
    if (change.mode !== undefined) this.mode = change.mode & 0o7777;
    if (change.uid !== undefined) this.uid = change.uid;
    if (change.gid !== undefined) this.gid = change.gid;
    if (change.atimeNs !== undefined) this.atimeNs = change.atimeNs === 'now' ? now() : change.atimeNs;
    if (change.mtimeNs !== undefined) this.mtimeNs = change.mtimeNs === 'now' ? now() : change.mtimeNs;
    this.ctimeNs = now();
    this.changes.emit({ what: 'attr', ino: this.ino });
  }

  modified(): void {
    this.mtimeNs = this.ctimeNs = now();
    this.changes.emit({ what: 'data', ino: this.ino });
  }

  getxattr(name: string): Uint8Array {
    const value = this.xattrs.get(name);
    if (value === undefined) throw new FsError('ENODATA', `There is no attribute ${name}.`);
    return value;
  }

  setxattr(name: string, value: Uint8Array, flags: number): void {
    if (flags === 1 && this.xattrs.has(name)) throw new FsError('EEXIST', `There is an attribute ${name}.`);
    if (flags === 2) this.getxattr(name);
    this.xattrs.set(name, Uint8Array.from(value));
  }

  removexattr(name: string): void {
    this.getxattr(name);
    this.xattrs.delete(name);
  }
}

export class MemoryFile extends BaseFile {
  override readonly freshness: Freshness = 'shared';
  readonly facts: Facts;
  #bytes = new Uint8Array(0);
  #size = 0;

  constructor(changes: Emitter<Change>, mode: number) {
    super();
    this.facts = new Facts('file', mode, changes);
  }

  get ino(): bigint {
    return this.facts.ino;
  }

  stat(): Stat {
    return this.facts.stat(this.#size);
  }

  override setattr(change: AttrChange): Stat {
    if (change.size !== undefined) this.resize(change.size);
    this.facts.apply(change);
    return this.stat();
  }

  override isBare(): boolean {
    return false; // some may be set
  }
  override getxattr(name: string): Uint8Array {
    return this.facts.getxattr(name);
  }
  override setxattr(name: string, value: Uint8Array, flags: number): void {
    this.facts.setxattr(name, value, flags);
  }
  override listxattr(): readonly string[] {
    return [...this.facts.xattrs.keys()];
  }
  override removexattr(name: string): void {
    this.facts.removexattr(name);
  }
  override statfs(): StatFs {
    return MEMORY_STATFS;
  }

  open(flags: OpenFlags): MemoryHandle {
    checkAccess(this.stat(), (flags.read ? 4 : 0) | (flags.write ? 2 : 0));
    if (flags.truncate) this.resize(0);
    return new MemoryHandle(this, flags);
  }

  slice(at: number, size: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(Math.min(at, this.#size), Math.min(at + size, this.#size)));
  }

  put(at: number | 'end', data: Uint8Array): void {
    const from = at === 'end' ? this.#size : at;
    const end = from + data.byteLength;
    if (end > this.#bytes.byteLength) this.#grow(end);
    this.#bytes.set(data, from);
    this.#size = Math.max(this.#size, end);
    this.facts.modified();
  }

  resize(size: number): void {
    if (size > this.#bytes.byteLength) this.#grow(size);
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
    this.facts.modified();
  }

  #grow(size: number): void {
    const bytes = new Uint8Array(Math.max(size, this.#bytes.byteLength * 2, 64));
    bytes.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = bytes;
  }
}

class MemoryHandle extends ReadOnlyHandle {
  override readonly direct = false;
  readonly #file: MemoryFile;
  readonly #flags: OpenFlags;

  constructor(file: MemoryFile, flags: OpenFlags) {
    super();
    this.#file = file;
    this.#flags = flags;
  }

  stat(): Stat {
    return this.#file.stat();
  }
  override setattr(change: AttrChange): Stat {
    return this.#file.setattr(change);
  }
  read(at: number, size: number): Uint8Array {
    if (!this.#flags.read) throw new FsError('EBADF', 'The file is not open for reading.');
    return this.#file.slice(at, size);
  }
  override write(at: number, data: Uint8Array): number {
    if (!this.#flags.write) throw new FsError('EBADF', 'The file is not open for writing.');
    this.#file.put(this.#flags.append ? 'end' : at, data);
    return data.byteLength;
  }
}

export class MemorySymlink extends BaseSymlink {
  override readonly freshness: Freshness = 'shared';
  readonly facts: Facts;
  readonly #target: string;

  constructor(changes: Emitter<Change>, target: string) {
    super();
    this.facts = new Facts('symlink', 0o777, changes);
    this.#target = target;
  }
  get ino(): bigint {
    return this.facts.ino;
  }
  stat(): Stat {
    return this.facts.stat(Buffer.byteLength(this.#target));
  }
  override setattr(change: AttrChange): Stat {
    this.facts.apply(change);
    return this.stat();
  }
  readlink(): string {
    return this.#target;
  }
}

/** A directory whose entries callers may change, unless it is `fixed`. Fixtures put any node into it. */
export class MemoryDir extends ReadOnlyDir {
  override readonly freshness: Freshness = 'shared';
  readonly facts: Facts;
  readonly #changes: Emitter<Change>;
  readonly #entries = new Map<string, Node>();
  readonly #fixed: boolean;

  constructor(changes: Emitter<Change>, mode = 0o755, fixed = false) {
    super();
    this.#changes = changes;
    this.#fixed = fixed;
    this.facts = new Facts('dir', mode, changes);
  }

  get ino(): bigint {
    return this.facts.ino;
  }

  /** For fixtures: adds `node` under `name`, announced. */
  put<N extends Node>(name: string, node: N): N {
    this.#entries.set(name, node);
    this.#changed(name);
    return node;
  }

  stat(): Stat {
    let nlink = 2;
    for (const node of this.#entries.values()) if (node.kind === 'dir') nlink++;
    return { ...this.facts.stat(4096), nlink };
  }
  override setattr(change: AttrChange): Stat {
    if (change.size !== undefined) throw new FsError('EISDIR', 'A directory has no size to set.');
    this.facts.apply(change);
    return this.stat();
  }
  override isBare(): boolean {
    return false; // some may be set
  }
  override getxattr(name: string): Uint8Array {
    return this.facts.getxattr(name);
  }
  override setxattr(name: string, value: Uint8Array, flags: number): void {
    this.facts.setxattr(name, value, flags);
  }
  override listxattr(): readonly string[] {
    return [...this.facts.xattrs.keys()];
  }
  override removexattr(name: string): void {
    this.facts.removexattr(name);
  }
  override statfs(): StatFs {
    return MEMORY_STATFS;
  }

  lookup(name: string): Node {
    const node = this.#entries.get(name);
    if (node === undefined) throw new FsError('ENOENT', `There is no ${JSON.stringify(name)}.`);
    return node;
  }

  list(): readonly DirEntry[] {
    return [...this.#entries].map(([name, node]) => ({ name, node, ino: node.ino, kind: node.kind }));
  }

  override create(name: string, flags: OpenFlags, mode: number): Created {
    const known = this.#entries.get(name);
    if (known !== undefined) {
      if (flags.exclusive) throw new FsError('EEXIST', `${name} exists.`);
      if (!(known instanceof MemoryFile)) throw new FsError('EISDIR', `${name} is not a plain file.`);
      return { node: known, handle: known.open(flags) };
    }
    this.#mayChange();
    const file = this.put(name, new MemoryFile(this.#changes, mode & 0o7777));
    return { node: file, handle: new MemoryHandle(file, flags) };
  }

  override mkdir(name: string, mode: number): DirNode {
    this.#mustBeFree(name);
    return this.put(name, new MemoryDir(this.#changes, mode & 0o7777));
  }

  override symlink(name: string, target: string): SymlinkNode {
    this.#mustBeFree(name);
    return this.put(name, new MemorySymlink(this.#changes, target));
  }

  override link(target: Node, name: string): Node {
    this.#mustBeFree(name);
    if (!(target instanceof MemoryFile)) throw new FsError('EPERM', 'Only plain files have several names.');
    target.facts.nlink++;
    return this.put(name, target);
  }

  override unlink(name: string): void {
    this.#mayChange();
    const node = this.lookup(name);
    if (node.kind === 'dir') throw new FsError('EISDIR', `${name} is a directory.`);
    this.#drop(name);
  }

  override rmdir(name: string): void {
    this.#mayChange();
    const node = this.lookup(name);
    if (node.kind !== 'dir') throw new FsError('ENOTDIR', `${name} is not a directory.`);
    if (!(node instanceof MemoryDir)) throw new FsError('EPERM', `${name} stays.`);
    if (node.#entries.size > 0) throw new FsError('ENOTEMPTY', `${name} is not empty.`);
    this.#drop(name);
  }

  override rename(name: string, toDir: DirNode, toName: string, flags: number): void {
    this.#mayChange();
    if (!(toDir instanceof MemoryDir)) throw new FsError('EXDEV', 'That is another tree.');
    toDir.#mayChange();
    const node = this.lookup(name);
    const target = toDir.#entries.get(toName);
    if (flags & 1 && target !== undefined) throw new FsError('EEXIST', `${toName} exists.`);
    if (node instanceof MemoryDir && node.#holds(toDir))
      throw new FsError('EINVAL', 'A directory cannot be moved into itself.');
    if (flags & 2) {
      if (target === undefined) throw new FsError('ENOENT', `There is no ${JSON.stringify(toName)}.`);
      toDir.put(toName, node);
      this.put(name, target);
      return;
    }
    if (target === node) return;
    if (target instanceof MemoryDir) {
      if (node.kind !== 'dir') throw new FsError('EISDIR', `${toName} is a directory.`);
      if (target.#entries.size > 0) throw new FsError('ENOTEMPTY', `${toName} is not empty.`);
    } else if (target !== undefined && node.kind === 'dir') {
      throw new FsError('ENOTDIR', `${toName} is not a directory.`);
    }
    if (target !== undefined) toDir.#drop(toName);
    this.#entries.delete(name);
    this.#changed(name);
    toDir.put(toName, node);
  }

  #holds(other: MemoryDir): boolean {
    if (other === this) return true;
    return [...this.#entries.values()].some((node) => node instanceof MemoryDir && node.#holds(other));
  }

  #drop(name: string): void {
    const node = this.#entries.get(name);
    this.#entries.delete(name);
    if (node instanceof MemoryFile) {
      node.facts.nlink--;
      node.facts.ctimeNs = now();
    }
    this.#changed(name);
  }

  #mayChange(): void {
    if (this.#fixed) throw new FsError('EPERM', 'The shape of this directory is fixed.');
    checkAccess(this.stat(), 2);
  }

  #mustBeFree(name: string): void {
    this.#mayChange();
    if (this.#entries.has(name)) throw new FsError('EEXIST', `${name} exists.`);
  }

  #changed(name: string): void {
    this.facts.mtimeNs = this.facts.ctimeNs = now();
    this.#changes.emit({ what: 'entry', ino: this.ino, name });
    this.#changes.emit({ what: 'data', ino: this.ino });
  }
}

const MEMORY_STATFS: StatFs = {
  blockSize: 4096,
  blocks: 1000n,
  blocksFree: 600n,
  blocksAvailable: 500n,
  files: 100n,
  filesFree: 50n,
  nameMax: 255,
};

export interface MemoryVfs extends Vfs {
  readonly root: MemoryDir;
}

/** An empty tree in memory that can do all that the `Vfs` interface names. */
export function createMemoryVfs(fixedRoot = false): MemoryVfs {
  const changes = new Emitter<Change>();
  return { changes, root: new MemoryDir(changes, 0o755, fixedRoot), close: async () => undefined };
}
