import { FsError } from '../../core/index.js';
import { ROOT_NODE } from '../../protocol/index.js';
import { isOneType, type DirNode, type Node } from '../../vfs/index.js';

/** A node that a peer knows by number. */
export interface KnownNode {
  readonly number: number;
  node: Node;
  /** The directory and the name by which it was found last; 0 is the parent of what was found without a way to it. */
  parent: number;
  name: string;
  /** The numbers of its entries that were looked up, by name. */
  readonly children: Map<string, number>;
  /** The moment of the last request that showed it, or something below it. */
  shownAt: number;
  /** What was shown of it and of all below it before this moment is not sure to be shown still. */
  doubtedAt: number;
  /** The peer removed its name, and has found it by no other since. */
  isUnlinked: boolean;
}

/** The parent of what has no way to it any longer. */
const NOWHERE = -1;
const NONE: ReadonlySet<number> = new Set();

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
  /** Rises when something that was shown may be hidden by now. */
  #moment = 0;
  readonly #root: KnownNode;
  readonly #known = new Map<number, KnownNode>();
  readonly #pathless = new Set<number>();
  readonly #byNode = new Map<Node, number>();
  readonly #byIno = new Map<bigint, Set<number>>();

  constructor(root: DirNode, numbers: NodeNumbers) {
    this.#numbers = numbers;
    this.#root = this.#add(ROOT_NODE, root, { parent: 0, name: '', moment: 0 });
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

  /** What a request is given as it comes: its answer shows what the session may see as of now, or of later. */
  get moment(): number {
    return this.#moment;
  }

  /** An answer to a request of `moment` showed it to the session, and with it that there is a way to it. */
  shown(number: number, moment: number): void {
    for (let at = this.#known.get(number); at !== undefined; at = this.#known.get(at.parent)) {
      if (at.shownAt >= moment) return;
      at.shownAt = moment;
    }
  }

  /**
   * Whether the session was shown it since anything there was in doubt, and has not forgotten the way to it: a session
   * that was notified to ask again has no use for news of it until then.
   */
  isShown(number: number): boolean {
    const known = this.#known.get(number);
    return known !== undefined && this.#isSureSince(known.shownAt, known);
  }

  /**
   * Whether the session may still believe that its directory has it: the directory was not in doubt since, though it
   * may have been notified to ask again for the thing itself.
   */
  isListed(number: number): boolean {
    const known = this.#known.get(number);
    const directory = known === undefined ? undefined : this.#known.get(known.parent);
    return known !== undefined && directory !== undefined && this.#isSureSince(known.shownAt, directory);
  }

  /** Its directory has it no longer, and the session was notified. */
  leave(number: number): void {
    const known = this.#known.get(number);
    if (known === undefined) return;
    this.#leaveParent(known);
    known.parent = NOWHERE;
  }

  #isSureSince(moment: number, from: KnownNode): boolean {
    for (let at: KnownNode | undefined = from; at !== undefined; at = this.#known.get(at.parent)) {
      if (at.doubtedAt > moment) return false;
      if (at.parent === 0) return moment >= this.#root.doubtedAt;
    }
    return false;
  }

  /** The session was notified to ask again for it and for all below it. */
  doubt(number: number): void {
    const known = this.#known.get(number);
    if (known !== undefined) known.doubtedAt = ++this.#moment;
  }

  /** The session was notified to ask again for everything, or its rights are others. */
  doubtAll(): void {
    this.doubt(ROOT_NODE);
  }

  /** What has a number though no directory leads to it. */
  get pathless(): ReadonlySet<number> {
    return this.#pathless;
  }

  /** The number of `node`, which is the entry `name` of the directory `parent`, as a request of `moment` found it. */
  numberOf(node: Node, parent: number, name: string, moment: number): number {
    const same = this.#byNode.get(node);
    if (same !== undefined) {
      const again = this.get(same);
      again.isUnlinked = false;
      this.#foundAt(again, parent, name);
      this.shown(same, moment);
      return same;
    }
    const directory = this.#known.get(parent);
    const before = directory?.children.get(name);
    const known = before === undefined ? undefined : this.#known.get(before);
    if (known !== undefined && known.node.ino === node.ino && isOneType(known.node, node)) {
      this.#byNode.delete(known.node);
      known.node = node;
      this.#byNode.set(node, known.number);
      this.shown(known.number, moment);
      return known.number;
    }
    if (this.#known.size >= MAX_KNOWN_NODES)
      throw new FsError('ENFILE', 'This connection has looked up too many nodes.', {
        hint: 'Forget some (t_fs_forget), or connect again.',
      });
    const { number } = this.#add(this.#numbers.next(), node, { parent, name, moment });
    directory?.children.set(name, number);
    return number;
  }

  /** The peer removed the entry `name` of the directory `parent`, or put another there. */
  unlinked(parent: number, name: string): void {
    const known = this.#known.get(this.#known.get(parent)?.children.get(name) ?? NOWHERE);
    if (known !== undefined) known.isUnlinked = true;
  }

  forget(number: number): void {
    const known = this.#known.get(number);
    if (known === undefined || number === ROOT_NODE) return;
    this.#known.delete(number);
    this.#pathless.delete(number);
    if (this.#byNode.get(known.node) === number) this.#byNode.delete(known.node);
    const numbers = this.#byIno.get(known.node.ino);
    numbers?.delete(number);
    if (numbers?.size === 0) this.#byIno.delete(known.node.ino);
    this.#leaveParent(known);
  }

  /** The numbers under which the peer knows the thing with this inode. */
  numbersOfIno(ino: bigint): ReadonlySet<number> {
    return this.#byIno.get(ino) ?? NONE;
  }

  #add(
    number: number,
    node: Node,
    { parent, name, moment }: { readonly parent: number; readonly name: string; readonly moment: number },
  ): KnownNode {
    const known = {
      number,
      node,
      parent,
      name,
      children: new Map<string, number>(),
      shownAt: -1,
      doubtedAt: 0,
      isUnlinked: false,
    };
    this.#known.set(number, known);
    this.#byNode.set(node, number);
    let numbers = this.#byIno.get(node.ino);
    if (numbers === undefined) this.#byIno.set(node.ino, (numbers = new Set()));
    // A file system gives the number of what was removed to what is made next.
    for (const older of numbers) if (this.#known.get(older)?.isUnlinked === true) numbers.delete(older);
    numbers.add(number);
    if (parent === 0 && number !== ROOT_NODE) this.#pathless.add(number);
    this.shown(number, moment);
    return known;
  }

  /** It was found once more, perhaps elsewhere: the way that was taken last is the one that counts. */
  #foundAt(known: KnownNode, parent: number, name: string): void {
    if (parent === 0 || known.number === ROOT_NODE || (known.parent === parent && known.name === name))
      return;
    // Directories that were moved into each other: the way from the old place is no more.
    for (let at = this.#known.get(parent); at !== undefined; at = this.#known.get(at.parent)) {
      if (at.parent !== known.number) continue;
      this.#leaveParent(at);
      at.parent = NOWHERE;
    }
    this.#leaveParent(known);
    this.#pathless.delete(known.number);
    known.parent = parent;
    known.name = name;
    this.#known.get(parent)?.children.set(name, known.number);
  }

  #leaveParent({ number, parent, name }: KnownNode): void {
    const siblings = this.#known.get(parent)?.children;
    if (siblings?.get(name) === number) siblings.delete(name);
  }
}
