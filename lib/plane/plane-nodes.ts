import type { ControlStore, NodeRecord, NodeTunnel } from '../control/index.js';
import { Emitter, FsError, type JsonObject, type Log } from '../core/index.js';
import type { Session } from '../policy/index.js';
import { RemoteVfs, greet } from '../tunnel/index.js';
import type { Change, DirNode, Op } from '../vfs/index.js';
import { nodeLinkRule, type NodeEntry, type NodeSource } from '../worldfs/index.js';
import { catalogEntries } from './catalog-entries.js';
import type { LocalMember } from './local-member.js';
import { nodeDirStat, OfflineNodeDir, requireSeen } from './offline-node.js';

/** Content of documents that is kept for one node, for all sessions together. */
const MAX_CACHED_BYTES = 8 * 1024 * 1024;

interface KnownNode {
  readonly remote: RemoteVfs;
  readonly offline: OfflineNodeDir;
  /** What it offered when it was last told of. */
  services: NodeRecord['services'] | undefined;
}

/** The nodes of a control plane: the far end of a tunnel where there is one, else what the catalog knows. */
export class PlaneNodes implements NodeSource {
  readonly changes = new Emitter<Change>();
  readonly appearances = new Emitter<string>();
  readonly #store: ControlStore;
  readonly #log: Log;
  readonly #local: LocalMember | null;
  readonly #nodes = new Map<string, KnownNode>();
  readonly #stopListening: () => void;

  constructor(store: ControlStore, log: Log, local: LocalMember | null = null) {
    this.#store = store;
    this.#log = log;
    this.#local = local;
    const stopLocal = local?.changes.on((change) => this.changes.emit(within(local.dir, change)));
    const stopStore = store.nodes.changed.on((nodeId) => {
      const services = store.nodes.get(nodeId)?.services;
      if (services === undefined) this.#forget(nodeId);
      else {
        const known = this.#known(nodeId);
        if (known.services === services) return; // a lease was renewed
        known.services = services; // from which follows who sees the node
      }
      this.appearances.emit(nodeId);
    });
    this.#stopListening = () => {
      stopStore();
      stopLocal?.();
    };
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

  /** A node opened its tunnel. */
  async attach({ nodeId, epoch, transport }: NodeTunnel): Promise<void> {
    try {
      const greeting = await greet(transport);
      if (this.#store.nodes.get(nodeId)?.epoch !== epoch) {
        transport.close();
        return;
      }
      const { remote } = this.#known(nodeId);
      remote.setNodeProjects(this.#store.projects.naming(nodeId));
      remote.attach(greeting);
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

  endSession(id: string): void {
    for (const { remote } of this.#nodes.values()) remote.endSession(id);
  }

  /** Which projects name which nodes may have changed. */
  setProjects(): void {
    for (const [nodeId, { remote }] of this.#nodes)
      remote.setNodeProjects(this.#store.projects.naming(nodeId));
    this.#local?.setNodeProjects(this.#store.projects.naming(this.#local.facts.nodeName));
  }

  async close(): Promise<void> {
    this.#stopListening();
    await Promise.all([...this.#nodes.values()].map(({ remote }) => remote.close()));
  }

  #entryOf(record: NodeRecord): NodeEntry {
    if (record.nodeId === this.#local?.facts.nodeName) return this.#shown(record, this.#local.dir, true);
    const { remote, offline } = this.#known(record.nodeId);
    const isHere = remote.state === 'attached';
    const root: DirNode = isHere ? remote.root : offline;
    return this.#shown(record, root, isHere);
  }

  #shown(record: NodeRecord, root: DirNode, isHere: boolean): NodeEntry {
    return {
      nodeId: record.nodeId,
      root,
      summary: summaryOf(record, isHere),
      services: ({ session }) => catalogEntries(this.#store, record, session, isHere),
    };
  }

  #known(nodeId: string): KnownNode {
    let known = this.#nodes.get(nodeId);
    if (known === undefined) {
      const remote = new RemoteVfs({
        relayed: true,
        maxCachedBytes: MAX_CACHED_BYTES,
        linkRule: nodeLinkRule(nodeId),
        rootStat: (ino, op) => nodeDirStat(ino, requireSeen(this.#store, nodeId, op)),
        log: this.#log,
      });
      remote.changes.on((change) => this.changes.emit(within(remote.root, change)));
      remote.states.on(() => this.appearances.emit(nodeId));
      known = { remote, offline: new OfflineNodeDir(this.#store, nodeId), services: undefined };
      this.#nodes.set(nodeId, known);
    }
    return known;
  }

  #forget(nodeId: string): void {
    const known = this.#nodes.get(nodeId);
    this.#nodes.delete(nodeId);
    // It closes its connection and fails what is asked of it; there is nothing to wait for.
    void known?.remote.close();
  }
}

/** What one node says has changed is no news about any other. */
function within({ ino }: DirNode, change: Change): Change {
  return change.what === 'all' ? { what: 'tree', ino } : change;
}

/** A node's line in NODES.json. */
function summaryOf(record: NodeRecord, isHere: boolean): JsonObject {
  return {
    node_id: record.nodeId,
    name: record.nodeName,
    path: `/nodes/${record.nodeId}`,
    state: isHere ? 'online' : 'offline',
    labels: record.labels,
  };
}
