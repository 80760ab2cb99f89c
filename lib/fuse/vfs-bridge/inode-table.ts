import { isOneType, type FileHandle, type FileNode, type Node } from '../../vfs/index.js';

/** A host file that the kernel reads and writes by itself: its number, and how many descriptors it has it open by. */
export interface Backing {
  readonly id: number;
  opens: number;
}

/** A descriptor, as long as the kernel has it. */
export interface OpenFile {
  readonly ref: NodeRef;
  readonly handle: FileHandle;
  /** It was opened while the kernel had the file. */
  readonly isOver: boolean;
}

/** What distinguishes two contents of one file. */
export interface Stamp {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

/** A node as the kernel knows it: the nodeid, and how many lookups of it the kernel holds. */
export class NodeRef {
  readonly nodeid: number;
  node: Node;
  /** How many entries the kernel was given and has not forgotten. */
  lookups = 0;
  /** Where it was found last. */
  parent: NodeRef | undefined;
  name: string;
  /** Further places of an announced node, each "parent's nodeid / name". */
  otherPlaces: Map<string, { parent: NodeRef; name: string }> | undefined;
  readonly files = new Set<OpenFile>();
  /** Opens that have not been answered. */
  opening = 0;
  /** Set while the kernel has it open so. */
  backing: Backing | undefined;
  /** What the kernel's page cache, or its copy of a listing, shows; undefined where it must not be kept. */
  cached: Stamp | undefined;
  /** Subdirectories and symlinks, by name. */
  children: Map<string, NodeRef> | undefined;
  /** Another such ref of the same inode number. */
  twin: NodeRef | undefined;

  constructor(nodeid: number, node: Node, parent: NodeRef | undefined, name: string) {
    this.nodeid = nodeid;
    this.node = node;
    this.parent = parent;
    this.name = name;
  }

  /** The names that lead to it from the root, where it was found last. */
  get path(): string[] {
    const names = this.parent === undefined ? [] : [this.name];
    for (let dir = this.parent; dir?.parent !== undefined; dir = dir.parent) names.unshift(dir.name);
    return names;
  }

  get inUse(): boolean {
    return this.files.size > 0 || this.opening > 0;
  }

  /** Any open descriptor. */
  get anyFile(): OpenFile | undefined {
    if (this.files.size === 0) return undefined;
    for (const file of this.files) return file;
    return undefined;
  }
}

/** Whether each descriptor of `node` is one of its own. */
export function isPerOpen(node: Node): node is FileNode & { readonly perOpen: true } {
  return node.kind === 'file' && node.perOpen === true;
}

/** The nodeid of the root, which is never forgotten. */
const ROOT_ID = 1;

/**
 * Which nodeid stands for which node. Ids are never used twice.
 * - A directory has one at each path that shows it: the kernel allows a directory one place only. So has a
 *   symlink: where it leads depends on its place.
 * - A file has one, whatever its paths, so that its pages are cached once.
 * - A live file has one for each snapshot that is open, since the kernel asks for attributes without naming
 *   the descriptor.
 * - A per-open file has one for each that is open, for the same reason, and since the kernel locks an inode
 *   for a whole direct write.
 */
export class InodeTable {
  readonly #byId = new Map<number, NodeRef>();
  readonly #files = new Map<bigint, NodeRef>();
  /** Directories and symlinks. */
  readonly #placed = new Map<bigint, NodeRef>();
  #nextId = ROOT_ID;
  readonly root: NodeRef;

  constructor(root: Node) {
    this.root = this.#add(root, undefined, '');
    this.root.lookups = Infinity;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(nodeid: number): NodeRef | undefined {
    return this.#byId.get(nodeid);
  }

  all(): IterableIterator<NodeRef> {
    return this.#byId.values();
  }

  isInUse(ino: bigint): boolean {
    return this.#files.get(ino)?.inUse === true;
  }

  /** The refs of an inode number that the kernel may have copies of. */
  *known(ino: bigint): Generator<NodeRef> {
    const file = this.#files.get(ino);
    if (file !== undefined) yield file;
    for (let dir = this.#placed.get(ino); dir !== undefined; dir = dir.twin) yield dir;
  }

  /** The refs of the directory with this inode number, and of all that was found below it. */
  *below(ino: bigint): Generator<NodeRef> {
    const isBelow = new Map<NodeRef, boolean>();
    const look = (ref: NodeRef): boolean => {
      let known = isBelow.get(ref);
      if (known !== undefined) return known;
      known = ref.node.ino === ino || (ref.parent !== undefined && look(ref.parent));
      isBelow.set(ref, known);
      return known;
    };
    for (const ref of this.all()) if (look(ref)) yield ref;
  }

  /**
   * The ref to answer with where `node` was found as `name` in `parent`. The caller counts the lookup.
   * `fits` says whether a ref of the same node will do; else there is to be another.
   */
  refer(parent: NodeRef, name: string, node: Node, fits: (ref: NodeRef) => boolean = () => true): NodeRef {
    const found = node.kind === 'file' ? this.#files.get(node.ino) : parent.children?.get(name);
    if (found === undefined || found.node.ino !== node.ino || !isOneType(found.node, node))
      return this.#fresh(parent, name, node);
    if (!fits(found)) {
      this.retire(found);
      return this.#fresh(parent, name, node);
    }
    found.node = node;
    if (node.freshness === 'announced' && (found.parent !== parent || found.name !== name))
      this.#addPlace(found, parent, name);
    found.parent = parent;
    found.name = name;
    return found;
  }

  #fresh(parent: NodeRef, name: string, node: Node): NodeRef {
    const ref = this.#add(node, parent, name);
    if (node.kind !== 'file') (parent.children ??= new Map()).set(name, ref);
    return ref;
  }

  #add(node: Node, parent: NodeRef | undefined, name: string): NodeRef {
    const ref = new NodeRef(this.#nextId++, node, parent, name);
    this.#byId.set(ref.nodeid, ref);
    if (node.kind !== 'file') {
      ref.twin = this.#placed.get(node.ino);
      this.#placed.set(node.ino, ref);
    } else this.#files.set(node.ino, ref);
    return ref;
  }

  #addPlace(ref: NodeRef, parent: NodeRef, name: string): void {
    ref.otherPlaces ??= new Map();
    if (ref.parent !== undefined)
      ref.otherPlaces.set(`${ref.parent.nodeid}/${ref.name}`, { parent: ref.parent, name: ref.name });
    ref.otherPlaces.set(`${parent.nodeid}/${name}`, { parent, name });
  }

  /** From now on lookups of the same node give another id: what is open shows what is no longer so. */
  retire(ref: NodeRef): void {
    if (this.#files.get(ref.node.ino) === ref) this.#files.delete(ref.node.ino);
  }

  forget(nodeid: number, lookups: number): void {
    const ref = this.#byId.get(nodeid);
    if (ref === undefined || (ref.lookups -= lookups) > 0) return;
    this.#byId.delete(nodeid);
    this.retire(ref);
    if (ref.node.kind === 'file') return;
    this.#unlinkTwin(ref);
    if (ref.parent?.children?.get(ref.name) === ref) ref.parent.children.delete(ref.name);
  }

  #unlinkTwin(ref: NodeRef): void {
    const head = this.#placed.get(ref.node.ino);
    if (head === ref) {
      if (ref.twin === undefined) this.#placed.delete(ref.node.ino);
      else this.#placed.set(ref.node.ino, ref.twin);
      return;
    }
    for (let dir = head; dir !== undefined; dir = dir.twin) {
      if (dir.twin === ref) {
        dir.twin = ref.twin;
        return;
      }
    }
  }

  /** The name was removed. */
  dropChild(parent: NodeRef, name: string): void {
    parent.children?.delete(name);
  }

  /** A rename took effect: the kernel moves what it knows, ids included. */
  moveChild(from: NodeRef, name: string, to: NodeRef, toName: string, exchange: boolean): void {
    const moved = from.children?.get(name);
    const other = to.children?.get(toName);
    from.children?.delete(name);
    to.children?.delete(toName);
    if (moved !== undefined) this.#place(moved, to, toName);
    if (exchange && other !== undefined) this.#place(other, from, name);
  }

  #place(ref: NodeRef, parent: NodeRef, name: string): void {
    ref.parent = parent;
    ref.name = name;
    (parent.children ??= new Map()).set(name, ref);
  }
}
