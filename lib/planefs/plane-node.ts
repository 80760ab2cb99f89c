import type { ControlStore, NodeRecord } from '../control/index.js';
import { Emitter, FsError, type Log } from '../core/index.js';
import type { Transport } from '../transport/index.js';
import { RemoteVfs, type Handshake } from '../tunnel/index.js';
import { chain, type Awaitable, type Change, type Node, type Op } from '../vfs/index.js';
import { nodeLinkRule } from '../worldfs/index.js';
import { offlineError, unreachableError } from './away.js';
import { CatalogNodeDir } from './catalog-node.js';
import { changesOfCatalog, isSeenByOthers } from './catalog-changes.js';
import type { Presence } from './catalog.js';
import type { FindAtNode } from './fallback-nodes.js';
import type { Relays } from './relays.js';

/** Content of documents that is kept for one node, for all sessions together. */
const MAX_CACHED_BYTES = 8 * 1024 * 1024;

/** What is asked of a node that is about to be back waits so long. */
export const MOVING_NODE_MS = 2_500;
/** However long it takes to reach it, an error comes by then. */
const MOST_WAITED_MS = 4_000;
/** Between attempts to reach it. */
const AGAIN_MS = 50;

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
  readonly #relays: Relays | null;
  readonly #log: Log;
  /** The node's own tunnel to this process, where it has one. */
  #tunnel: Transport | undefined;
  /** The replica through which it is reached, where it has none. */
  #via: string | undefined;
  /** The node has another tunnel, and what is here follows. */
  #isLeft = false;
  #isFollowing = false;
  #connecting: Promise<void> | undefined;
  #passed = 0;
  #moment: NodeJS.Timeout | undefined;
  #expectation: NodeJS.Timeout | undefined;
  #sinceMs: number;
  #services: NodeRecord['services'] | undefined;

  constructor(store: ControlStore, nodeId: string, log: Log, relays: Relays | null = null) {
    this.#store = store;
    this.#relays = relays;
    this.#log = log;
    this.#nodeId = nodeId;
    this.#sinceMs = store.clock.now();
    this.#services = store.nodes.get(nodeId)?.services;
    this.remote = new RemoteVfs({
      relayed: true,
      maxCachedBytes: MAX_CACHED_BYTES,
      linkRule: nodeLinkRule(nodeId),
      inoAt: (names) => this.dir.inoAt(names),
      awayError: () => this.#awayError(),
      log,
    });
    this.dir = new CatalogNodeDir({
      store,
      nodeId,
      presence: () => this.presence,
      atNode: (...names) => this.#atNode(names),
      offersMore: ({ role }) => this.remote.isForAdmins && role === 'admin',
    });
    this.remote.states.on(() => this.#connectionTurned());
    this.remote.goingAway.on(() => void this.#follow());
    this.remote.changes.on((change) => this.#onChange(change));
  }

  /** It can be asked, or will be in a moment: what it is asked waits for that. */
  get isHere(): boolean {
    return (
      this.remote.state === 'attached' ||
      this.remote.isExpected ||
      this.#relays?.canReach(this.#nodeId) === true
    );
  }

  /** It is connected to this process, and not through another replica. */
  get isDirect(): boolean {
    return this.#tunnel !== undefined && !this.#isLeft && this.remote.state === 'attached';
  }

  /** The node has opened a tunnel to this process. */
  attach(handshake: Handshake): void {
    const { transport } = handshake.port;
    this.#tunnel = transport;
    this.#via = undefined;
    this.#isLeft = false;
    this.#relays?.came(this.#nodeId);
    // One that knows other ways to us is back in a moment when it loses this one.
    const moves = this.#relays !== null || handshake.hello.capabilities?.moves === true;
    this.remote.patienceMs = moves ? MOVING_NODE_MS : 0;
    transport.onClose(() => {
      if (this.#tunnel === transport) this.#tunnel = undefined;
    });
    this.remote.attach(handshake);
  }

  /** The catalog says that its connection is at another replica than before. */
  moved(): void {
    if (this.#relays === null) return;
    this.remote.patienceMs = MOVING_NODE_MS;
    if (this.#relays.canReach(this.#nodeId)) {
      if (this.isDirect) {
        void this.#follow();
        return;
      }
      // Who used it goes on to do so.
      const isOther = this.#via !== undefined && this.#via !== this.#relays.holderOf(this.#nodeId);
      if (isOther || this.remote.isExpected) this.#relayed().catch(() => undefined);
    } else if (this.#relays.isOurs(this.#nodeId)) this.remote.expect();
    else this.#findHolder(this.#relays);
  }

  /** It may be at a replica that has just begun. */
  #findHolder(relays: Relays): void {
    const found = relays.findHolder(this.#nodeId);
    if (found === undefined) return;
    this.remote.expect();
    void found.then((isFound) => {
      if (isFound) this.moved();
    });
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
    if (this.remote.state === 'detached') {
      // What others ask over here goes one hop, and not on to another replica.
      this.#relays?.endServing(this.#nodeId);
      if (this.#via !== undefined || this.#relays?.canReach(this.#nodeId) === true)
        this.#relayed().catch(() => undefined);
    }
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
    if (!this.isHere || (this.remote.isForAdmins && !isOfferedByAll(names))) return undefined;
    if (this.remote.state === 'attached' || this.#relays === null) return findIn(this.remote.root, names, op);
    return this.#reached().then(() => findIn(this.remote.root, names, op));
  }

  /** Answers once it is connected to this process, and fails where it is not within `mostMs`. */
  async whenDirect(mostMs: number): Promise<void> {
    if (this.isDirect) return;
    await new Promise<void>((resolve, reject) => {
      const stop = this.remote.states.on(() => {
        if (this.isDirect) end(resolve);
      });
      const timer = setTimeout(() => end(() => reject(offlineError(this.#nodeId))), mostMs);
      const end = (act: () => void): void => {
        clearTimeout(timer);
        stop();
        act();
      };
    });
  }

  /**
   * Answers once it can be asked: through the replica that has its tunnel, or here. While it goes from one to another that
   * may take more than one attempt.
   * @throws FsError EHOSTDOWN
   */
  async #reached(): Promise<void> {
    let isLate = false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((_, reject) => {
      timer = setTimeout(() => {
        isLate = true;
        reject(this.#awayError());
      }, MOST_WAITED_MS);
    });
    // Who was in time hears nothing of it.
    late.catch(() => undefined);
    try {
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the timer changes it
      while (this.remote.state !== 'attached' && !isLate) await Promise.race([this.#attempt(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #attempt(): Promise<void> {
    try {
      if (this.#relays?.canReach(this.#nodeId) === true) await this.#relayed();
      else await this.remote.whenConnected();
    } catch {
      if (!this.isHere) throw offlineError(this.#nodeId);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #awayError(): FsError {
    return (this.#relays?.canReach(this.#nodeId) === true ? unreachableError : offlineError)(this.#nodeId);
  }

  /**
   * The node goes to another replica, or the one through which it is reached loses it. What is asked goes on over the present
   * connection until the other one is there, so that nothing is lost in between.
   */
  async #follow(): Promise<void> {
    const relays = this.#relays;
    this.#isLeft = true;
    if (relays === null) {
      this.remote.leaveConnection();
      return;
    }
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    relays.left(this.#nodeId);
    // Who has left it ends the present one in the end, and what is asked then waits for another as after any loss.
    while (this.#isOverLeft) {
      if (relays.canReach(this.#nodeId) && (await this.#isReachedBy(this.#relayed()))) break;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
    this.#isFollowing = false;
  }

  /** What is asked goes over a connection that the far side has left. */
  get #isOverLeft(): boolean {
    return this.#isLeft && this.remote.state === 'attached';
  }

  #isReachedBy(attempt: Promise<void>): Promise<boolean> {
    return attempt.then(
      () => true,
      () => false,
    );
  }

  /** Through the replica that has its tunnel. @throws FsError EHOSTDOWN */
  #relayed(): Promise<void> {
    this.#connecting ??= this.#connectRelayed().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  async #connectRelayed(): Promise<void> {
    const relays = this.#relays;
    const via = relays?.holderOf(this.#nodeId);
    if (relays === null || via === undefined) throw offlineError(this.#nodeId);
    try {
      const handshake = await relays.connect(this.#nodeId);
      if (this.isDirect) {
        handshake.port.transport.close();
        return;
      }
      this.#tunnel = undefined;
      this.#isLeft = false;
      this.#via = via;
      this.remote.patienceMs = MOVING_NODE_MS;
      relays.left(this.#nodeId);
      this.remote.attach(handshake);
    } catch (thrown) {
      this.#log.debug('A node was not reached through another replica.', {
        node_id: this.#nodeId,
        replica: via,
        error: FsError.from(thrown).message,
      });
      throw offlineError(this.#nodeId);
    }
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

/** Of what our nodes have, nodes of the family have what is in the directories of services, and exports. */
function isOfferedByAll([place, service]: readonly string[]): boolean {
  return place === 'fs' || (place === 'services' && service !== undefined);
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
