import { DelegatingDir, type Awaitable, type DirNode, type Op } from '../../vfs/index.js';

/** The root of a relayed tree: each session sees its own through it. */
export class RelayRoot extends DelegatingDir {
  readonly freshness = 'announced';
  readonly ino: bigint;
  readonly #rootOf: (op: Op) => DirNode;

  constructor(ino: bigint, rootOf: (op: Op) => DirNode) {
    super();
    this.ino = ino;
    this.#rootOf = rootOf;
  }

  protected override delegate<T>(op: Op, use: (dir: DirNode) => Awaitable<T>): Awaitable<T> {
    return use(this.#rootOf(op));
  }
}
