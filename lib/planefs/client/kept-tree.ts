import { Emitter, FsError, systemClock } from '../../core/index.js';
import { nsFromMs, type Awaitable, type Change, type DirNode, type Node, type Op } from '../../vfs/index.js';
import { World, type NodeEntry } from '../../worldfs/index.js';
import { AwayDir, AwayFile, type Away } from '../away.js';
import { catalogEntries, summaryOf } from '../catalog-entries.js';
import { CatalogNodeDir } from '../catalog-node.js';
import { planeAway, type KeptCatalog } from './kept-catalog.js';

/** The tree of a control plane that is away, as far as the catalog that was kept of it shows. */
export class KeptTree {
  readonly #catalog: KeptCatalog;
  readonly #dirs = new Map<string, CatalogNodeDir>();
  readonly #root: DirNode;
  /** Nothing is known of these, but that they are there. */
  readonly #awayDir: AwayDir;
  readonly #awayFile: AwayFile;

  constructor(catalog: KeptCatalog) {
    this.#catalog = catalog;
    const sinceNs = nsFromMs(systemClock.now());
    const away = (mode: number) => (): Away => ({ mode, timeNs: sinceNs, error: planeAway() });
    this.#awayDir = new AwayDir(away(0o555), 'announced');
    this.#awayFile = new AwayFile(away(0o444));
    this.#root = new World({
      nodes: {
        changes: new Emitter<Change>(),
        visible: () => catalog.ids().map((nodeId) => this.#entry(nodeId)),
        find: (nodeId) => (catalog.sees(nodeId) ? this.#entry(nodeId) : undefined),
        actionsOf: () => [],
      },
      events: { changes: new Emitter<Change>(), fileFor: () => this.#awayFile },
      now: () => systemClock.now(),
      projects: new AwayDir(away(0o555), 'announced'),
      control: new AwayDir(away(0o555), 'announced'),
    }).root;
  }

  /** @throws FsError ENOENT for what surely was not there, EHOSTDOWN where nobody knows */
  find(names: readonly string[], op: Op): Node {
    // What a session may do, the control plane alone says.
    if (names.length === 1 && names[0] === 'session.json') return this.#awayFile;
    let found: Node = this.#root;
    for (const [depth, name] of names.entries()) {
      const next: Awaitable<Node> | undefined =
        found.kind === 'dir' ? this.#lookup(found, names.slice(0, depth), name, op) : undefined;
      // All that is kept is at hand.
      if (next === undefined || next instanceof Promise) throw planeAway();
      found = next;
    }
    return found;
  }

  /** A service may have been named, but not sent. */
  #lookup(dir: DirNode, above: readonly string[], name: string, op: Op): Awaitable<Node> {
    try {
      return dir.lookup(name, op);
    } catch (thrown) {
      const [top, nodeId, services] = above;
      if (top !== 'nodes' || nodeId === undefined || services !== 'services' || above.length !== 3)
        throw thrown;
      if (FsError.from(thrown).code === 'ENOENT' && !this.#catalog.lacks(nodeId, name)) throw planeAway();
      throw thrown;
    }
  }

  /** Indexes say what can be called: nothing now. */
  #entry(nodeId: string): NodeEntry {
    const catalog = this.#catalog;
    return {
      nodeId,
      root: catalog.isKept(nodeId) ? this.#dir(nodeId) : this.#awayDir,
      get summary() {
        return summaryOf(catalog.find(nodeId), false);
      },
      services: ({ session }) => catalogEntries(catalog, catalog.find(nodeId), session, false),
    };
  }

  #dir(nodeId: string): CatalogNodeDir {
    let dir = this.#dirs.get(nodeId);
    if (dir === undefined) {
      dir = new CatalogNodeDir({
        store: this.#catalog,
        nodeId,
        presence: () => this.#catalog.presence(nodeId),
        atNode: () => () => undefined,
        outage: planeAway,
      });
      this.#dirs.set(nodeId, dir);
    }
    return dir;
  }
}
