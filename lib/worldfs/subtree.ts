import { FsError, type Emitter } from '../core/index.js';
import {
  DelegatingDir,
  chain,
  newIno,
  walk,
  type Change,
  type Delegate,
  type DirNode,
  type Vfs,
} from '../vfs/index.js';

/** A directory of another tree as a tree of its own. It is found anew at each operation, as the session of that sees it. */
export class Subtree implements Vfs {
  readonly root: DirNode;
  readonly extendedAttributes: boolean;
  readonly changes: Emitter<Change>;

  /** @param path from the root of the other, with slashes */
  constructor(whole: Vfs, path: string) {
    const ask: Delegate<DirNode>['ask'] = (op, use) =>
      chain(walk(whole.root, path, op), (node) => {
        if (node.kind !== 'dir') throw new FsError('ENOTDIR', `${path} is not a directory.`);
        return use(node);
      });
    this.root = new DelegatingDir({ ino: newIno(), freshness: 'live' }, { ask, look: ask });
    this.extendedAttributes = whole.extendedAttributes ?? true;
    this.changes = whole.changes;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
