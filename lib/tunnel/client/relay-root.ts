import { DelegatingDir, type Delegate, type DirNode, type Op } from '../../vfs/index.js';

/** The root of a relayed tree: each session sees its own through it. */
export class RelayRoot extends DelegatingDir {
  constructor(ino: bigint, rootOf: (op: Op) => DirNode) {
    const ask: Delegate<DirNode>['ask'] = (op, use) => use(rootOf(op));
    super({ ino, freshness: 'announced' }, { ask, look: ask });
  }
}
