import type { CatalogService } from '../control/index.js';
import { documentFromJson, timestamp, type JsonObject } from '../core/index.js';
import {
  countStates,
  isExportService,
  nodeCapabilities,
  nodeDocument,
  nodeReadme,
  type PublishedNode,
} from '../manifest/index.js';
import { DerivedRoot } from '../services/index.js';
import {
  CheckedDocument,
  ReadOnlyDir,
  StableSnapshots,
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
import { AwayDir, AwayFile, offlineError, type FindAway } from './away.js';
import { requireSeen, stateOf, type CatalogNodeOptions, type CatalogRecord } from './catalog.js';
import { CatalogServicesDir } from './catalog-services.js';
import { FallbackFile, FallbackRoot } from './fallback-nodes.js';

/** Where its exports are. */
const EXPORTS = 'fs';

/**
 * `/nodes/<id>/` of another machine: listings, indexes and descriptors are read from the catalog, whether it
 * is connected or not; only what is live, and its exports, are asked of it.
 */
export class CatalogNodeDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly services: CatalogServicesDir;
  readonly #options: CatalogNodeOptions;
  readonly #files: ReadonlyMap<string, Node>;
  readonly #exports: FallbackRoot;
  readonly #rootInos = new Map<string, bigint>();
  #roots: { readonly of: CatalogRecord['services']; readonly roots: DerivedRoot } | undefined;

  constructor(options: CatalogNodeOptions) {
    super();
    this.#options = options;
    const { atNode, nodeId } = options;
    this.services = new CatalogServicesDir(options);
    const away =
      (mode: number): FindAway =>
      (op) => ({
        mode,
        timeNs: nsFromMs(requireSeen(options.store, nodeId, op.session).joinedAtMs),
        error: options.outage?.() ?? offlineError(nodeId),
      });
    const status =
      options.outage === undefined
        ? this.#document((op) => documentFromJson(this.#status(op)), 'live')
        : new AwayFile(away(0o444));
    this.#files = new Map<string, Node>([
      ['README.md', this.#document(() => nodeReadme(this.#published()))],
      ['NODE.json', this.#document(() => nodeDocument(this.#published()))],
      ['STATUS.json', new FallbackFile(atNode('STATUS.json'), status)],
      ['CAPS.json', this.#document((op) => nodeCapabilities(this.#visible(op).map(descriptorOf)))],
      ['services', this.services],
    ]);
    this.#exports = new FallbackRoot(atNode(EXPORTS), new AwayDir(away(0o555), 'announced'));
  }

  stat(op: Op): Stat {
    return dirStat(this.ino, nsFromMs(this.#seen(op).joinedAtMs), 0o555, 3);
  }

  lookup(name: string, op: Op): Node {
    this.#seen(op);
    const node =
      this.#files.get(name) ?? this.#provided(op).get(name) ?? this.#derived().visibleChild(name, op);
    if (node === null) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    this.#seen(op);
    const provided = this.#provided(op);
    const roots = this.#derived()
      .visibleChildren(op)
      .filter(([name]) => !this.#files.has(name) && !provided.has(name));
    return [...this.#files, ...provided, ...roots].map(([name, node]) => entryOf(name, node));
  }

  /** The directory whose content is at the node alone. */
  get exports(): DirNode {
    return this.#exports;
  }

  /** Whether some service is mounted below another's root, or below a step that is nothing else. */
  get hasNestedRoots(): boolean {
    return [...this.#rootInos.keys()].some((path) => path.lastIndexOf('/') > 0);
  }

  /** The inode number that is shown for what `names` lead to at the node. */
  inoAt(names: readonly string[]): bigint | undefined {
    const [first, ...rest] = names;
    if (first === undefined) return this.ino;
    if (first === 'services') return this.services.inoAt(rest);
    if (rest.length > 0) return undefined;
    return first === EXPORTS ? this.#exports.ino : this.#files.get(first)?.ino;
  }

  /** What is shown below the node in place of a service's root, where the session sees the service. */
  #provided(op: Op): Map<string, DirNode> {
    const isThere =
      this.#visible(op).some(({ descriptor }) => isExportService(descriptor)) ||
      this.#options.offersMore?.(op.session) === true;
    return new Map(isThere ? [[EXPORTS, this.#exports]] : []);
  }

  #derived(): DerivedRoot {
    const { services } = this.#record();
    if (this.#roots?.of !== services) this.#roots = { of: services, roots: this.#placed(services) };
    return this.#roots.roots;
  }

  #placed(services: CatalogRecord['services']): DerivedRoot {
    const roots = new DerivedRoot('', (path) => {
      let ino = this.#rootInos.get(path);
      if (ino === undefined) this.#rootInos.set(path, (ino = newIno()));
      return ino;
    });
    const prefix = `/nodes/${this.#options.nodeId}/`;
    for (const { serviceId, descriptor } of services.values()) {
      if (isExportService(descriptor)) continue;
      const mounts = (descriptor['mounts'] ?? []) as readonly JsonObject[];
      const paths = mounts.map(({ mount_path: path }) => path as string).filter(isPlain);
      roots.placeAll(prefix, paths, this.services.serviceDir(serviceId));
    }
    return roots;
  }

  #visible(op: Op): CatalogService[] {
    return this.#options.store.access.visibleServices(op.session, this.#record());
  }

  #status(op: Op): JsonObject {
    const record = this.#record();
    const services = this.#visible(op);
    const { isHere } = this.#options.presence();
    return {
      state: isHere ? 'online' : 'offline',
      services: countStates(services.map((service) => stateOf(service, isHere))),
      last_seen_at: timestamp(record.lastSeenMs),
    };
  }

  #published(): PublishedNode {
    return publishedNode(this.#record());
  }

  #record(): CatalogRecord {
    return this.#options.store.nodes.require(this.#options.nodeId);
  }

  #seen(op: Op): CatalogRecord {
    return requireSeen(this.#options.store, this.#options.nodeId, op.session);
  }

  #document(render: (op: Op) => Buffer, freshness: Freshness = 'announced'): CheckedDocument {
    const texts = new StableSnapshots();
    return new CheckedDocument(
      (op) =>
        texts.snapshot(op.session, render(op), this.#record().joinedAtMs, this.#options.store.clock.now()),
      (op) => void this.#seen(op),
      { freshness },
    );
  }
}

function publishedNode({ nodeId, nodeName, platform, labels, holder }: CatalogRecord): PublishedNode {
  const version = holder?.software;
  return {
    id: nodeId,
    name: nodeName,
    platform,
    version: version ?? null,
    labels,
  };
}

function descriptorOf({ descriptor }: CatalogService): JsonObject {
  return descriptor;
}

/** Paths that a node says are of no use where they are no paths. */
function isPlain(path: unknown): path is string {
  return (
    typeof path === 'string' &&
    !path
      .slice(1)
      .split('/')
      .some((step) => ['', '.', '..'].includes(step))
  );
}
