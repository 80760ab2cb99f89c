import type { ControlStore, NodeRecord } from '../control/index.js';
import { Emitter, FsError, type Log } from '../core/index.js';
import { RemoteVfs } from '../tunnel/index.js';
import { chain, type Awaitable, type Change, type Node, type Op } from '../vfs/index.js';
import { nodeLinkRule } from '../worldfs/index.js';
import { CatalogNodeDir } from './catalog-node.js';
import { changesOfCatalog, isSeenByOthers } from './catalog-changes.js';
import type { Presence } from './catalog.js';
import type { FindAtNode } from './fallback-nodes.js';

/** Content of documents that is kept for one node, for all sessions together. */
const MAX_CACHED_BYTES = 8 * 1024 * 1024;

/** So many changes are passed on one by one in a moment; of more, it is said that all exports may be others. */
const MOST_PASSED = 256;
const MOMENT_MS = 100;

/** A node at another machine: what the catalog says of it, and its tunnel while there is one. */
export class PlaneNode {
  readonly remote: RemoteVfs;
  readonly dir: CatalogNodeDir;
  readonly changes = new Emitter<Change>();
  /** It came or went. */
  readonly turned = new Emitter<void>();
  readonly #store: ControlStore;
  readonly #nodeId: string;
  #passed = 0;
  #moment: NodeJS.Timeout | undefined;
  #expectation: NodeJS.Timeout | undefined;
  #sinceMs: number;
  #services: NodeRecord['services'] | undefined;

  constructor(store: ControlStore, nodeId: string, log: Log) {
    this.#store = store;
    this.#nodeId = nodeId;
    this.#sinceMs = store.clock.now();
    this.#services = store.nodes.get(nodeId)?.services;
    this.remote = new RemoteVfs({
      relayed: true,
      maxCachedBytes: MAX_CACHED_BYTES,
      linkRule: nodeLinkRule(nodeId),
      inoAt: (names) => this.dir.inoAt(names),
      log,
    });
    this.dir = new CatalogNodeDir({
      store,
      nodeId,
      presence: () => this.presence,
      atNode: (...names) => this.#atNode(names),
    });
    this.remote.states.on(() => this.#connectionTurned());
    this.remote.changes.on((change) => this.#onChange(change));
  }

  /** Its tunnel is there, or will be in a moment: what it is asked waits for that. */
  get isHere(): boolean {
    return this.remote.state === 'attached' || this.remote.isExpected;
  }

  get presence(): Presence {
    return { isHere: this.isHere, sinceMs: this.#sinceMs };
  }

  /** Looks what the catalog says by now. True where others than before may see the node. */
  refresh(): boolean {
    const before = this.#services;
    const after = this.#store.nodes.require(this.#nodeId).services;
    if (before === after) return false; // a lease was renewed
    this.#services = after;
    const changes = changesOfCatalog(this.dir, before ?? new Map(), after);
    this.dir.services.touch();
    for (const change of changes) this.changes.emit(change);
    return before === undefined || isSeenByOthers(before, after);
  }

  /** A node that goes from one connection to the next has not gone, unless it is not back in time. */
  #connectionTurned(): void {
    clearTimeout(this.#expectation);
    if (this.remote.isExpected)
      this.#expectation = setTimeout(() => this.#turned(), this.remote.patienceMs + 1).unref();
    this.#turned();
  }

  #turned(): void {
    this.#sinceMs = this.#store.clock.now();
    for (const ino of this.dir.services.stateInos) this.changes.emit({ what: 'data', ino });
    this.turned.emit();
  }

  #atNode(names: readonly string[]): FindAtNode {
    return (op) => this.find(names, op);
  }

  /** What these names lead to at the node; undefined while it is away. */
  find(names: readonly string[], op: Op): Awaitable<Node> | undefined {
    return this.isHere ? findIn(this.remote.root, names, op) : undefined;
  }

  /**
   * A change at one node says nothing about any other. The catalog reports changes of services: what is left of a
   * change of everything is that the node's exports may be others.
   */
  #onChange(change: Change): void {
    if (change.what === 'all') this.#pass(this.#ofExports);
    else if (change.what !== 'tree' || !this.dir.services.has(change.ino)) this.#pass(change);
  }

  get #ofExports(): Change {
    return { what: 'tree', ino: this.dir.exports.ino };
  }

  /** However many changes a node reports, so many at most are passed on. */
  #pass(change: Change): void {
    if (++this.#passed <= MOST_PASSED) this.changes.emit(change);
    if (this.#moment !== undefined) return;
    this.#moment = setTimeout(() => {
      const isMore = this.#passed > MOST_PASSED;
      this.#passed = 0;
      this.#moment = undefined;
      if (isMore) this.#pass(this.#ofExports);
    }, MOMENT_MS).unref();
  }
}

export function findIn(root: Node, names: readonly string[], op: Op): Awaitable<Node> {
  let found: Awaitable<Node> = root;
  for (const name of names) found = chain(found, (dir) => step(dir, name, op));
  return found;
}

function step(dir: Node, name: string, op: Op): Awaitable<Node> {
  if (dir.kind !== 'dir') throw new FsError('EIO', 'The node has something else there than it said.');
  return dir.lookup(name, op);
}
