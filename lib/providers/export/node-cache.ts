import type { ExportNode } from './export-node.js';

/**
 * The nodes that somebody holds, by inode number, so that the names of one file and repeated lookups
 * give one node. Holds them weakly: what no bridge keeps is forgotten, however many were looked up.
 */
export class NodeCache {
  readonly #nodes = new Map<bigint, WeakRef<ExportNode>>();
  readonly #collected = new FinalizationRegistry<bigint>((ino) => {
    if (this.#nodes.get(ino)?.deref() === undefined) this.#nodes.delete(ino);
  });

  get(ino: bigint): ExportNode | undefined {
    return this.#nodes.get(ino)?.deref();
  }

  add(node: ExportNode): void {
    this.#nodes.set(node.ino, new WeakRef(node));
    this.#collected.register(node, node.ino);
  }

  /** The number no longer means this node: its inode is gone and may come back as another file's. */
  remove(ino: bigint): void {
    this.#nodes.delete(ino);
  }

  get size(): number {
    return this.#nodes.size;
  }
}
