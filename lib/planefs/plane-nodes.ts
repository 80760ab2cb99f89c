import type { ControlStore, NodeRecord, NodeTunnel, RelayConnection } from '../control/index.js';
import { Emitter, FsError, type Log } from '../core/index.js';
import type { Action, Session } from '../policy/index.js';
import { NodeDialect } from '../protocol/index.js';
import type { Transport } from '../transport/index.js';
import { acceptHello, serveVfs, type ServedConnection } from '../tunnel/index.js';
import { NODE_CONTROL } from '../services/index.js';
import { nsFromMs, type Awaitable, type Change, type DirNode, type Node, type Op } from '../vfs/index.js';
import type { NodeEntry, NodeSource } from '../worldfs/index.js';
import { isSeenByOthers } from './catalog-changes.js';
import { catalogActions, catalogEntries, summaryOf } from './catalog-entries.js';
import type { LocalMember } from './local-member.js';
import { CatalogPages } from './catalog-pages.js';
import type { Presence } from './catalog.js';
import { requireAdmin } from './admin-check.js';
import { AwayFile, offlineError } from './away.js';
import { FallbackFile } from './fallback-nodes.js';
import { findIn, MOVING_NODE_MS, PlaneNode } from './plane-node.js';
import { RelayedSessions } from './relayed-sessions.js';
import { Relays } from './relays.js';

/** So far may this replica be behind another one. */
const BEHIND_MS = 300;

/** The node of this same process. */
const HERE: Presence = { isHere: true, sinceMs: 0 };

/** The nodes of a control plane: what the catalog knows of them, and the far ends of their tunnels. */
export class PlaneNodes implements NodeSource {
  readonly changes = new Emitter<Change>();
  readonly appearances = new Emitter<string>();
  /** The nodes of which the catalog says something else, or that came or went. */
  readonly #catalogChanges = new Emitter<string>();
  readonly #store: ControlStore;
  readonly #log: Log;
  readonly #local: LocalMember | null;
  readonly #nodes = new Map<string, PlaneNode>();
  /** The ways to other replicas; null where there are none. */
  readonly #relays: Relays | null;
  /** Those that other replicas speak for here. */
  readonly #relayedSessions: RelayedSessions;
  #localServices: NodeRecord['services'] | undefined;
  /** What the catalog said last of each node, but for when it was seen. */
  readonly #said = new Map<string, { readonly services: NodeRecord['services']; readonly facts: string }>();
  readonly #stopListening: () => void;
  #actions = new WeakMap<Session, readonly Action[]>();

  constructor(store: ControlStore, log: Log, local: LocalMember | null = null) {
    this.#store = store;
    this.#log = log;
    this.#local = local;
    this.#relayedSessions = new RelayedSessions(store, (id) => {
      if (!store.sessions.live.some((live) => live.id === id)) this.endSession(id);
    });
    const { replicas } = store;
    this.#relays =
      replicas === undefined
        ? null
        : new Relays({
            replicas,
            isOurs: (nodeId) => store.nodes.get(nodeId)?.replica === replicas.membership.selfId,
            serve: (nodeId, channel) => this.#serveRelayed(nodeId, channel),
            log,
          });
    const stopLocal = local?.changes.on((change) => this.changes.emit(within(local.dir, change)));
    const stopStore = store.nodes.changed.on((nodeId) => this.#changed(nodeId));
    this.#stopListening = () => {
      stopStore();
      stopLocal?.();
    };
  }

  /** Reckoned anew when the catalog, the projects or the session changed. */
  actionsOf(session: Session): readonly Action[] {
    let actions = this.#actions.get(session);
    if (actions === undefined) this.#actions.set(session, (actions = catalogActions(this.#store, session)));
    return actions;
  }

  visible(op: Op): readonly NodeEntry[] {
    return this.#store.nodes
      .list()
      .filter((record) => this.#store.access.seesNode(op.session, record))
      .map((record) => this.#entryOf(record));
  }

  find(nodeId: string, op: Op): NodeEntry | undefined {
    const record = this.#store.nodes.get(nodeId);
    if (record === undefined || !this.#store.access.seesNode(op.session, record)) return undefined;
    return this.#entryOf(record);
  }

  /** The catalog for one connection, as its session may see it. */
  catalogFor(sessionOf: () => Session): CatalogPages {
    const { nodes, access } = this.#store;
    const find = (session: Session, nodeId: string): NodeRecord | undefined => {
      const record = nodes.get(nodeId);
      return record !== undefined && access.seesNode(session, record) ? record : undefined;
    };
    return new CatalogPages(
      {
        visible: (session) => nodes.list().filter((record) => access.seesNode(session, record)),
        find,
        services: (session, record) => access.visibleServices(session, record),
        may: (session, record, service, action) => access.decide(session, record, service, action).allow,
        presence: (nodeId) => (nodeId === this.#local?.facts.nodeName ? HERE : this.#known(nodeId).presence),
        onChange: (listener) => this.#catalogChanges.on(listener),
      },
      sessionOf,
    );
  }

  /** A file of a node for admins: at the node itself, which must be there. */
  adminFile(nodeId: string, name: 'plan.json' | 'metrics'): Node {
    const away = new AwayFile((op) => {
      requireAdmin(op);
      return {
        mode: name === 'metrics' ? 0o400 : 0o600,
        timeNs: nsFromMs(this.#store.nodes.require(nodeId).joinedAtMs),
        error: offlineError(nodeId),
      };
    });
    const find = (op: Op): Awaitable<Node> | undefined => {
      requireAdmin(op);
      const names = [NODE_CONTROL, name];
      if (nodeId !== this.#local?.facts.nodeName) return this.#known(nodeId).find(names, op);
      return findIn(this.#local.dir, names, op);
    };
    return new FallbackFile(find, away, name === 'plan.json');
  }

  /** A node opened its tunnel. */
  async attach({ nodeId, epoch, transport }: NodeTunnel): Promise<void> {
    try {
      const handshake = await acceptHello(transport);
      if (this.#store.nodes.get(nodeId)?.epoch !== epoch) {
        transport.close();
        return;
      }
      // Ours know the epoch of their connection, or say what they can.
      const { hello, port } = handshake;
      if (hello.capabilities === undefined && hello.epoch === undefined)
        port.speak((ends) => new NodeDialect(ends));
      const known = this.#known(nodeId);
      known.remote.setNodeProjects(this.#store.projects.naming(nodeId));
      known.attach(handshake);
    } catch (thrown) {
      this.#log.debug('A tunnel did not come about.', {
        node_id: nodeId,
        error: FsError.from(thrown).message,
      });
    }
  }

  /** The rights of these sessions changed. */
  setSessions(sessions: readonly Session[]): void {
    for (const { remote } of this.#nodes.values()) for (const session of sessions) remote.setSession(session);
  }

  /** Another replica has called. */
  receiveReplica(connection: RelayConnection): void {
    this.#relays?.accept(connection);
  }

  /** This process is about to stop: answers once other replicas have followed the nodes that have gone to another one. */
  async followed(): Promise<void> {
    await this.#relays?.followed();
  }

  /** Nothing of this process uses the session any longer. */
  endSession(id: string): void {
    if (this.#relayedSessions.has(id)) return;
    for (const { remote } of this.#nodes.values()) remote.endSession(id);
  }

  /** Which projects name which nodes may have changed. */
  setProjects(): void {
    this.#actions = new WeakMap();
    for (const [nodeId, { remote }] of this.#nodes)
      remote.setNodeProjects(this.#store.projects.naming(nodeId));
    this.#local?.setNodeProjects(this.#store.projects.naming(this.#local.facts.nodeName));
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#relays?.close();
    await Promise.all([...this.#nodes.values()].map(({ remote }) => remote.close()));
  }

  /**
   * Serves a node that is connected here to another replica, as a tunnel of its own would: from the node's own tunnel alone.
   * @throws FsError EHOSTDOWN where it is not connected here
   */
  async #serveRelayed(nodeId: string, channel: Transport): Promise<ServedConnection> {
    const record = this.#store.nodes.get(nodeId);
    if (record === undefined) throw new FsError('ENOENT', `There is no node ${nodeId}.`);
    const known = this.#known(nodeId);
    // It is known by its connection before it has opened its tunnel, and to the other replica before us, it may be.
    await known.whenDirect(this.#relays?.isOurs(nodeId) === true ? MOVING_NODE_MS : BEHIND_MS);
    const { remote } = known;
    const handshake = await acceptHello(channel);
    return serveVfs({ root: remote.root, changes: remote.changes, close: async () => undefined }, handshake, {
      relayed: {
        maxRole: 'admin',
        ...this.#relayedSessions.on(channel, (session) => remote.setSession(session)),
      },
      log: this.#log,
    });
  }

  #entryOf(record: NodeRecord): NodeEntry {
    if (record.nodeId === this.#local?.facts.nodeName) return this.#shown(record, this.#local.dir, true);
    const { dir, isHere } = this.#known(record.nodeId);
    return this.#shown(record, dir, isHere);
  }

  #shown(record: NodeRecord, root: DirNode, isHere: boolean): NodeEntry {
    return {
      nodeId: record.nodeId,
      root,
      summary: summaryOf(record, isHere),
      services: ({ session }) => catalogEntries(this.#store, record, session, isHere),
    };
  }

  #known(nodeId: string): PlaneNode {
    let known = this.#nodes.get(nodeId);
    if (known === undefined) {
      known = new PlaneNode(this.#store, nodeId, this.#log, this.#relays);
      known.changes.on((change) => this.changes.emit(change));
      known.turned.on(() => this.#catalogChanges.emit(nodeId));
      this.#nodes.set(nodeId, known);
    }
    return known;
  }

  /** The catalog says something else of the node. */
  #changed(nodeId: string): void {
    this.#actions = new WeakMap();
    this.#nodes.get(nodeId)?.moved();
    if (this.#isNews(nodeId)) this.appearances.emit(nodeId);
    if (this.#isOther(nodeId)) this.#catalogChanges.emit(nodeId);
  }

  /** Whether the catalog says more of the node than that it was seen again. */
  #isOther(nodeId: string): boolean {
    const record = this.#store.nodes.get(nodeId);
    if (record === undefined) return this.#said.delete(nodeId);
    const { services, nodeName, platform, labels, holder } = record;
    const facts = JSON.stringify([nodeName, platform, labels, holder?.software]);
    const before = this.#said.get(nodeId);
    this.#said.set(nodeId, { services, facts });
    return before?.services !== services || before.facts !== facts;
  }

  /** Whether others than before may see the node. */
  #isNews(nodeId: string): boolean {
    const services = this.#store.nodes.get(nodeId)?.services;
    if (services === undefined) {
      this.#forget(nodeId);
      return true;
    }
    if (nodeId === this.#local?.facts.nodeName) {
      const before = this.#localServices;
      this.#localServices = services;
      return before !== services && (before === undefined || isSeenByOthers(before, services));
    }
    if (this.#nodes.has(nodeId)) return this.#known(nodeId).refresh();
    this.#known(nodeId);
    return true;
  }

  #forget(nodeId: string): void {
    const known = this.#nodes.get(nodeId);
    this.#nodes.delete(nodeId);
    // It closes its connection and fails what is asked of it; there is nothing to wait for.
    void known?.remote.close();
  }
}

/** A change at one node says nothing about any other. */
function within({ ino }: DirNode, change: Change): Change {
  return change.what === 'all' ? { what: 'tree', ino } : change;
}
