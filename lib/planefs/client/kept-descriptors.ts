import type { Log } from '../../core/index.js';
import { localSession, type Session } from '../../policy/index.js';
import type { RemoteVfs, StandIn } from '../../tunnel/index.js';
import type { Node, Op } from '../../vfs/index.js';
import { CatalogFollower } from './catalog-follower.js';
import { KeptCatalog, planeAway } from './kept-catalog.js';
import type { KeptTree } from './kept-tree.js';

/** What a mount shows of the nodes that its session sees while the control plane is away, whether or not it was read. */
export class KeptDescriptors implements StandIn {
  readonly #catalog = new KeptCatalog();
  #tree: KeptTree | undefined;
  #session: Session = localSession('user', null, 'mount');

  get op(): Op {
    const { role } = this.#catalog;
    if (this.#session.role !== role) this.#session = localSession(role, null, 'mount');
    return { session: this.#session, signal: new AbortController().signal };
  }

  get isBehind(): boolean {
    return this.#catalog.isBehind;
  }

  find(names: readonly string[]): Node {
    if (this.#tree === undefined) throw planeAway();
    return this.#tree.find(names, this.op);
  }

  /** Keeps up with the tree's catalog from now on. */
  follow(vfs: RemoteVfs, log: Log): CatalogFollower {
    // Loaded beside the first connection, so that the mount need not wait for it.
    const shown = import('./kept-tree.js').then(({ KeptTree }) => (this.#tree = new KeptTree(this.#catalog)));
    shown.catch((thrown: unknown) => log.error('Descriptors are not kept.', { error: String(thrown) }));
    return new CatalogFollower(vfs, this.#catalog, log, shown);
  }
}
