import { BaseSymlink } from './bases.js';
import { newIno } from './ino.js';
import { symlinkStat } from './stats.js';
import type { Freshness, Op, Stat } from './types.js';

export interface SymlinkTarget {
  readonly target: string;
  readonly timeNs: bigint;
}

/** A symlink that may point elsewhere at each look. */
export class LiveSymlink extends BaseSymlink {
  readonly ino: bigint;
  override readonly freshness: Freshness = 'live';
  readonly #resolve: (op: Op) => SymlinkTarget;

  /** `resolve` throws ENOENT when there is nothing to point to. */
  constructor(resolve: (op: Op) => SymlinkTarget, ino = newIno()) {
    super();
    this.#resolve = resolve;
    this.ino = ino;
  }

  stat(op: Op): Stat {
    const { target, timeNs } = this.#resolve(op);
    return symlinkStat(this.ino, timeNs, target);
  }

  readlink(op: Op): string {
    return this.#resolve(op).target;
  }
}
