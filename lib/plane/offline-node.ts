import type { ControlStore, NodeRecord } from '../control/index.js';
import { documentFromJson, timestamp, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  CheckedDocument,
  IndexDocument,
  ReadOnlyDir,
  RenderedText,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type DirNode,
  type Freshness,
  type Node,
  type Op,
  type Stat,
} from '../vfs/index.js';
import { catalogEntries } from './catalog-entries.js';
import { offlineServiceDir, type KnownService } from './offline-service.js';

/** `/nodes/<id>/` of a node that is away, made from the catalog: what it offers can be read, not used. */
export class OfflineNodeDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #store: ControlStore;
  readonly #nodeId: string;
  readonly #files: ReadonlyMap<string, Node>;
  readonly #services: OfflineServicesDir;

  constructor(store: ControlStore, nodeId: string) {
    super();
    this.#store = store;
    this.#nodeId = nodeId;
    this.#services = new OfflineServicesDir(store, nodeId);
    this.#files = new Map<string, Node>([
      ['README.md', this.#document(() => Buffer.from(readmeOf(nodeId)))],
      ['NODE.json', this.#document((node) => documentFromJson(describeNode(node)))],
      ['STATUS.json', this.#document((node) => documentFromJson(statusOf(node)))],
      ['CAPS.json', this.#document(() => documentFromJson({ services: true, invoke: false }))],
      ['services', this.#services],
    ]);
  }

  stat(op: Op): Stat {
    return nodeDirStat(this.ino, this.#seen(op));
  }

  lookup(name: string, op: Op): Node {
    this.#seen(op);
    const node = this.#files.get(name) ?? this.#roots(op).get(name);
    if (node === undefined) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    this.#seen(op);
    return [...this.#files, ...this.#roots(op)].map(([name, node]) => entryOf(name, node));
  }

  /** The places right below the node at which services are mounted. */
  #roots(op: Op): Map<string, DirNode> {
    const roots = new Map<string, DirNode>();
    const prefix = `/nodes/${this.#nodeId}/`;
    for (const { serviceId, descriptor } of this.#store.access.visibleServices(op.session, this.#record())) {
      for (const mount of (descriptor.mounts ?? []) as readonly JsonObject[]) {
        const path = mount.mount_path as string;
        const name = path.slice(prefix.length);
        if (path.startsWith(prefix) && name !== '' && !name.includes('/') && !this.#files.has(name))
          roots.set(name, this.#services.serviceDir(serviceId));
      }
    }
    return roots;
  }

  #record(): NodeRecord {
    return this.#store.nodes.require(this.#nodeId);
  }

  #seen(op: Op): NodeRecord {
    return requireSeen(this.#store, this.#nodeId, op);
  }

  #document(render: (node: NodeRecord) => Buffer): Node {
    const text = new RenderedText();
    return new CheckedDocument(
      () => text.snapshot(render(this.#record()), this.#record().lastSeenMs),
      (op) => void this.#seen(op),
      { freshness: 'live' },
    );
  }
}

/** @throws FsError ENOENT where the session may not know of the node, though it has it open. */
export function requireSeen(store: ControlStore, nodeId: string, op: Op): NodeRecord {
  const record = store.nodes.get(nodeId);
  if (record === undefined || !store.access.seesNode(op.session, record)) throw noSuchEntry(nodeId);
  return record;
}

class OfflineServicesDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #store: ControlStore;
  readonly #nodeId: string;
  readonly #index: Node;
  readonly #dirs = new Map<string, DirNode>();

  constructor(store: ControlStore, nodeId: string) {
    super();
    this.#store = store;
    this.#nodeId = nodeId;
    const text = new RenderedText();
    this.#index = new IndexDocument(
      {
        visible: (op) => catalogEntries(store, requireSeen(store, nodeId, op), op.session, false),
        idOf: ({ service_id: id }) => id,
        render: (entries) => text.snapshot(documentFromJson([...entries]), this.#record().lastSeenMs),
      },
      { freshness: 'live' },
    );
  }

  stat(op: Op): Stat {
    return dirStat(this.ino, nsFromMs(requireSeen(this.#store, this.#nodeId, op).joinedAtMs));
  }

  lookup(name: string, op: Op): Node {
    requireSeen(this.#store, this.#nodeId, op);
    if (name === 'SERVICES.json') return this.#index;
    this.#known(name, op.session);
    return this.serviceDir(name);
  }

  list(op: Op): readonly DirEntry[] {
    const record = requireSeen(this.#store, this.#nodeId, op);
    const visible = this.#store.access.visibleServices(op.session, record);
    return [
      ...visible.map(({ serviceId }) => entryOf(serviceId, this.serviceDir(serviceId))),
      entryOf('SERVICES.json', this.#index),
    ];
  }

  serviceDir(serviceId: string): DirNode {
    let dir = this.#dirs.get(serviceId);
    if (dir === undefined)
      this.#dirs.set(serviceId, (dir = offlineServiceDir((session) => this.#known(serviceId, session))));
    return dir;
  }

  #known(serviceId: string, session: Session): KnownService {
    const node = this.#record();
    const service = node.services.get(serviceId);
    const { access } = this.#store;
    if (service === undefined || !access.decide(session, node, service, 'observe').allow)
      throw noSuchEntry(serviceId);
    return {
      nodeId: this.#nodeId,
      serviceId,
      descriptor: service.descriptor,
      seenAtMs: node.lastSeenMs,
      mayInvoke: access.decide(session, node, service, 'invoke').allow,
      mayControl: access.decide(session, node, service, 'control').allow,
    };
  }

  #record(): NodeRecord {
    return this.#store.nodes.require(this.#nodeId);
  }
}

/** The attributes of `/nodes/<id>/`, whether the node is here or away. */
export function nodeDirStat(ino: bigint, node: NodeRecord): Stat {
  return dirStat(ino, nsFromMs(node.joinedAtMs), 0o555, 3);
}

function describeNode(node: NodeRecord): JsonObject {
  return { node_id: node.nodeId, name: node.nodeName, platform: node.platform, labels: node.labels };
}

function statusOf(node: NodeRecord): JsonObject {
  return { state: 'offline', last_seen_at: timestamp(node.lastSeenMs) };
}

function readmeOf(nodeId: string): string {
  return `# Node ${nodeId}

It is away just now. What it offers can be read here; invoking says EHOSTDOWN until it returns, which it
does by itself.
`;
}
