import { FsError } from '../core/index.js';
import {
  chain,
  DelegatingDir,
  DelegatingFile,
  type Awaitable,
  type Delegate,
  type DirNode,
  type FileNode,
  type Node,
  type Op,
  type Stat,
} from '../vfs/index.js';

/** Finds a thing at the node that has it; undefined while that cannot be asked. */
export type FindAtNode = (op: Op) => Awaitable<Node> | undefined;

/**
 * What a node alone knows: each operation asks the node while it is there, and the fallback while it is away. It need
 * not be looked up again when the node goes or returns.
 */
class Fallback<Kind extends FileNode | DirNode> implements Delegate<Kind> {
  readonly #find: FindAtNode;
  readonly #fallback: Kind;

  constructor(find: FindAtNode, fallback: Kind) {
    this.#find = find;
    this.#fallback = fallback;
  }

  ask<T>(op: Op, use: (node: Kind) => Awaitable<T>): Awaitable<T> {
    const found = this.#find(op);
    return found === undefined ? use(this.#fallback) : chain(found, (node) => use(this.#checked(node)));
  }

  /** The same for what begins nothing: a node that is lost meanwhile leaves it to the fallback. */
  look<T>(op: Op, use: (node: Kind) => Awaitable<T>): Awaitable<T> {
    const instead = (thrown: unknown): Awaitable<T> => {
      if (FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
      return use(this.#fallback);
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
    if (node.kind === this.#fallback.kind) return node as Kind;
    throw new FsError('EIO', 'The node has something else there than it said.');
  }
}

export class FallbackFile extends DelegatingFile {
  readonly perOpen: boolean;

  constructor(find: FindAtNode, fallback: FileNode, perOpen = false) {
    super(fallback, new Fallback(find, fallback));
    this.perOpen = perOpen;
  }
}

export class FallbackDir extends DelegatingDir {
  protected readonly fallback: DirNode;

  constructor(find: FindAtNode, fallback: DirNode) {
    super(fallback, new Fallback(find, fallback));
    this.fallback = fallback;
  }
}

/** The place of exports: what is there is the node's to say, but not that it is there. */
export class FallbackRoot extends FallbackDir {
  override stat(op: Op): Awaitable<Stat> {
    return this.fallback.stat(op);
  }
  override access(mask: number, op: Op): Awaitable<void> {
    return this.fallback.access(mask, op);
  }
}
