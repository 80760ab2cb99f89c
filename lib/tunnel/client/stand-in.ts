import type { Node, Op } from '../../vfs/index.js';

/** What is shown in place of what a far side had, while it is away. */
export interface StandIn {
  /** @throws FsError ENOENT for what surely was not there, EHOSTDOWN where nobody knows, or may see it */
  find(names: readonly string[]): Node;
  /** How its nodes are asked. */
  readonly op: Op;
  /** True: it was not notified of what changed while the far side was away before. */
  readonly isBehind: boolean;
}
