import { FsError } from '../../core/index.js';
import { ROOT_NODE } from '../../protocol/index.js';
import { isOneType, type DirNode, type Node } from '../../vfs/index.js';

/** A node that a peer knows by number. */
export interface KnownNode {
  readonly number: number;
  node: Node;
  readonly parent: number;
  readonly name: string;
  /** The numbers of its entries that were looked up, by name. */
  readonly children: Map<string, number>;
}

/** Gives out the numbers of a whole connection, so that those of two sessions never meet. */
export class NodeNumbers {
  #next = ROOT_NODE + 1;
  next(): number {
    return this.#next++;
  }
}

/** How many nodes one session may have looked up and not forgotten. */
export const MAX_KNOWN_NODES = 1_000_000;

/**
 * The nodes that one session of a connection has seen, by number. A number stays good until it is
 * forgotten. The same entry of the same directory keeps its number as long as it has the same inode, even
 * where each lookup gives a node object of its own; the newest object stands for it.
 */
export class NumberedNodes {
  readonly #numbers: NodeNumbers;
  readonly #known = new Map<number, KnownNode>();
  readonly #byNode = new Map<Node, number>();
  readonly #byIno = new Map<bigint, Set<number>>();

  constructor(root: DirNode, numbers: NodeNumbers) {
    this.#numbers = numbers;
    this.#add({ number: ROOT_NODE, node: root, parent: 0, name: '', children: new Map() });
  }

  get size(): number {
    return this.#known.size;
  }

  /** @throws FsError ESTALE for a number that was not given out, or was forgotten. */
  get(number: number): KnownNode {
    const known = this.#known.get(number);
    if (known === undefined) throw new FsError('ESTALE', `There is no node ${number} on this connection.`);
    return known;
  }

  find(number: number): KnownNode | undefined {
    return this.#known.get(number);
  }

  /** The number of `node`, which is the entry `name` of the directory `parent`. */
  numberOf(node: Node, parent: number, name: string): number {
    const same = this.#byNode.get(node);
    if (same !== undefined) return same;
    const directory = this.#known.get(parent);
    const before = directory?.children.get(name);
    const known = before === undefined ? undefined : this.#known.get(before);
    if (known !== undefined && known.node.ino === node.ino && isOneType(known.node, node)) {
      this.#byNode.delete(known.node);
      known.node = node;
      this.#byNode.set(node, known.number);
      return known.number;
    }
    if (this.#known.size >= MAX_KNOWN_NODES)
      throw new FsError('ENFILE', 'This connection has looked up too many nodes.', {
        hint: 'Forget some (t_fs_forget), or connect again.',
      });
    const number = this.#numbers.next();
    this.#add({ number, node, parent, name, children: new Map() });
    directory?.children.set(name, number);
    return number;
  }

  forget(number: number): void {
    const known = this.#known.get(number);
    if (known === undefined || number === ROOT_NODE) return;
    this.#known.delete(number);
    if (this.#byNode.get(known.node) === number) this.#byNode.delete(known.node);
    const numbers = this.#byIno.get(known.node.ino);
    numbers?.delete(number);
    if (numbers?.size === 0) this.#byIno.delete(known.node.ino);
    const siblings = this.#known.get(known.parent)?.children;
    if (siblings?.get(known.name) === number) siblings.delete(known.name);
  }

  /** The numbers under which the peer knows the thing with this inode. */
  numbersOfIno(ino: bigint): Iterable<number> {
    return this.#byIno.get(ino) ?? [];
  }

  #add(known: KnownNode): void {
    this.#known.set(known.number, known);
    this.#byNode.set(known.node, known.number);
    let numbers = this.#byIno.get(known.node.ino);
    if (numbers === undefined) this.#byIno.set(known.node.ino, (numbers = new Set()));
    numbers.add(known.number);
  }
}
