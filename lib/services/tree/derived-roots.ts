import { FsError } from '../../core/index.js';
import {
  ReadOnlyDir,
  dirStat,
  entryOf,
  noSuchEntry,
  type DirEntry,
  type DirNode,
  type Node,
  type Op,
  type Stat,
} from '../../vfs/index.js';

/** A service's directory that is shown at other places too. */
export interface PlacedDir extends DirNode {
  isSeenBy(op: Op): boolean;
  stat(op: Op): Stat;
  lookup(name: string, op: Op): Node;
  list(op: Op): readonly DirEntry[];
}

/** One step of a mount path: a service's root, a step on the way to one, or both. */
export class DerivedRoot extends ReadOnlyDir {
  readonly ino: bigint;
  readonly #path: string;
  readonly #inoOf: (path: string) => bigint;
  readonly #children = new Map<string, DerivedRoot>();
  #service: PlacedDir | null = null;

  /** `inoOf` gives a path the same inode number each time. */
  constructor(path: string, inoOf: (path: string) => bigint) {
    super();
    this.#path = path;
    this.#inoOf = inoOf;
    this.ino = inoOf(path);
  }

  /** Places `service` at `names` below this step. */
  place(names: readonly string[], service: PlacedDir): void {
    const [first, ...rest] = names;
    if (first === undefined) {
      this.#service = service;
      return;
    }
    let child = this.#children.get(first);
    if (child === undefined)
      this.#children.set(first, (child = new DerivedRoot(`${this.#path}/${first}`, this.#inoOf)));
    child.place(rest, service);
  }

  /** Places `service` at each of its mount paths below `prefix`. */
  placeAll(prefix: string, paths: readonly string[], service: PlacedDir): void {
    for (const path of paths)
      if (path.startsWith(prefix)) this.place(path.slice(prefix.length).split('/'), service);
  }

  /** The entries that the session may see; what it may not see is not there. */
  visibleChildren(op: Op): [string, DirNode][] {
    return [...this.#children].flatMap(([name, child]) => {
      const node = child.#asNode(op);
      return node === null ? [] : [[name, node] as [string, DirNode]];
    });
  }

  visibleChild(name: string, op: Op): DirNode | null {
    const child = this.#children.get(name);
    return child === undefined ? null : child.#asNode(op);
  }

  stat(op: Op): Stat {
    const service = this.#visibleService(op);
    if (service !== null) return { ...service.stat(op), ino: this.ino };
    if (this.visibleChildren(op).length === 0) throw new FsError('ENOENT', 'There is no such directory.');
    return dirStat(this.ino, 0n);
  }

  lookup(name: string, op: Op): Node {
    const child = this.visibleChild(name, op);
    if (child !== null) return child;
    const service = this.#visibleService(op);
    if (service === null) throw noSuchEntry(name);
    return service.lookup(name, op);
  }

  list(op: Op): readonly DirEntry[] {
    return [
      ...(this.#visibleService(op)?.list(op) ?? []),
      ...this.visibleChildren(op).map(([name, node]) => entryOf(name, node)),
    ];
  }

  #visibleService(op: Op): PlacedDir | null {
    return this.#service?.isSeenBy(op) === true ? this.#service : null;
  }

  /** The very directory of the service where nothing is mounted below it, so that both paths show one inode. */
  #asNode(op: Op): DirNode | null {
    const service = this.#visibleService(op);
    if (this.#children.size === 0) return service;
    return service !== null || this.visibleChildren(op).length > 0 ? this : null;
  }
}
