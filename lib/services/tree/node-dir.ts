import { documentFromJson, type JsonObject } from '../../core/index.js';
import {
  countStates,
  nodeCapabilities,
  nodeDocument,
  nodeReadme,
  type PublishedNode,
  type ServiceEntry,
  type ServiceDefinition,
} from '../../manifest/index.js';
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
  type Node,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import type { DefinitionChanges, ServiceHost } from '../service-host.js';
import { DerivedRoot } from './derived-roots.js';
import { ServicesDir, requireNode, seesNode, serviceIndex, servicesChangedAtMs } from './services-dir.js';

export interface NodeDirOptions {
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** Directories of built-in providers (`fs`), by name. */
  readonly providers: ReadonlyMap<string, Provider>;
  /** What admins may do with the node, by way of its control plane. */
  readonly control?: DirNode;
}

/** A name that is answered to admins, and not listed; no service or root can have it. */
export const NODE_CONTROL = '@control';

/** A directory that a built-in service offers, visible where the service is. */
export interface Provider {
  readonly serviceId: string;
  readonly root: DirNode;
}

/** `/nodes/<id>/`: the node's own files, its services, and the roots that their mounts derive. */
export class NodeDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #host: ServiceHost;
  readonly #options: NodeDirOptions;
  readonly #startedAtMs: number;
  readonly #files: ReadonlyMap<string, Node>;
  readonly #services: ServicesDir;
  readonly #rootInos = new Map<string, bigint>();
  #roots: DerivedRoot;

  constructor(host: ServiceHost, options: NodeDirOptions) {
    super();
    this.#host = host;
    this.#options = options;
    this.#startedAtMs = host.environment.clock.now();
    this.#services = new ServicesDir(host);
    this.#files = new Map<string, Node>([
      ['README.md', this.#document(() => nodeReadme(this.#published()))],
      ['NODE.json', this.#document(() => nodeDocument(this.#published()))],
      ['STATUS.json', this.#statusDocument()],
      ['CAPS.json', this.#document((op) => nodeCapabilities(this.#visible(op)))],
      ['services', this.#services],
    ]);
    this.#roots = this.#placedRoots();
    host.applied.on((changes) => this.#showChanges(changes));
  }

  #showChanges(changes: DefinitionChanges): void {
    const isMoved = changes.added.length + changes.removed.length > 0;
    const isWide = isMoved || changes.updated.some(changesPlaces) || this.#hasNestedRoots;
    if (isMoved) this.#services.touch();
    if (isWide) this.#roots = this.#placedRoots();
    const updated = changes.updated.flatMap(({ after }) => this.#host.dir(after.serviceId) ?? []);
    // A change of the whole covers its parts.
    for (const { ino } of isWide ? [this] : updated) this.#host.changes.emit({ what: 'tree', ino });
  }

  get #hasNestedRoots(): boolean {
    return [...this.#rootInos.keys()].some((path) => path.lastIndexOf('/') > 0);
  }

  /** Whether the session may know of this node. */
  isSeenBy(op: Op): boolean {
    return seesNode(this.#host, op);
  }

  /** What SERVICES.json shows the session. */
  index(op: Op): ServiceEntry[] {
    return serviceIndex(this.#host, op);
  }

  stat(op: Op): Stat {
    requireNode(this.#host, op);
    return dirStat(this.ino, nsFromMs(this.#startedAtMs), 0o555, 3);
  }

  lookup(name: string, op: Op): Node {
    requireNode(this.#host, op);
    const { control } = this.#options;
    if (name === NODE_CONTROL && control !== undefined && op.session.role === 'admin') return control;
    const node =
      this.#files.get(name) ?? this.#visibleProviders(op).get(name) ?? this.#roots.visibleChild(name, op);
    if (node === null) throw noSuchEntry(name);
    return node;
  }

  list(op: Op): readonly DirEntry[] {
    requireNode(this.#host, op);
    const providers = this.#visibleProviders(op);
    // A built-in service names its provider's place among its mounts: the provider is what is shown there.
    const roots = [...this.#roots.visibleChildren(op)].filter(([name]) => !providers.has(name));
    return [...this.#files, ...providers, ...roots].map(([name, node]) => entryOf(name, node));
  }

  #visibleProviders(op: Op): Map<string, DirNode> {
    const visible = new Map<string, DirNode>();
    for (const [name, { serviceId, root }] of this.#options.providers) {
      if (this.#host.dir(serviceId)?.service.gate.allows(op.session, 'observe') === true)
        visible.set(name, root);
    }
    return visible;
  }

  #placedRoots(): DerivedRoot {
    const prefix = `/nodes/${this.#host.environment.nodeId}/`;
    const roots = new DerivedRoot('', (path) => this.#rootIno(path));
    const provided = new Set([...this.#options.providers.values()].map(({ serviceId }) => serviceId));
    for (const dir of this.#host.dirs) {
      if (provided.has(dir.service.id)) continue;
      const paths = dir.service.definition.mounts.map(({ mountPath }) => mountPath);
      roots.placeAll(prefix, paths, dir);
    }
    return roots;
  }

  #rootIno(path: string): bigint {
    let ino = this.#rootInos.get(path);
    if (ino === undefined) this.#rootInos.set(path, (ino = newIno()));
    return ino;
  }

  #document(render: (op: Op) => Buffer): Node {
    const texts = new StableSnapshots();
    return new CheckedDocument(
      (op) => texts.snapshot(op.session, render(op), this.#startedAtMs, this.#host.environment.clock.now()),
      (op) => requireNode(this.#host, op),
    );
  }

  #statusDocument(): Node {
    const texts = new StableSnapshots();
    return new CheckedDocument(
      (op) => {
        const changedAtMs = Math.max(this.#startedAtMs, servicesChangedAtMs(this.#host, op.session));
        const nowMs = this.#host.environment.clock.now();
        return texts.snapshot(op.session, documentFromJson(this.#status(op)), changedAtMs, nowMs);
      },
      (op) => requireNode(this.#host, op),
      { freshness: 'live' },
    );
  }

  #published(): PublishedNode {
    const { nodeId, nodeName, platform } = this.#host.environment;
    const { labels, version } = this.#options;
    return { id: nodeId, name: nodeName, platform, version, labels };
  }

  #status(op: Op): object {
    const services = serviceIndex(this.#host, op);
    return {
      state: 'online',
      services: countStates(services.map(({ state }) => state)),
      started_at: new Date(this.#startedAtMs).toISOString(),
    };
  }

  #visible(op: Op): JsonObject[] {
    return this.#host.dirs
      .filter((dir) => dir.isSeenBy(op))
      .map(({ service }) => service.definition.descriptor);
  }
}

/** Whether it is found elsewhere from now on, by others, or with other entries. */
function changesPlaces({ before, after }: DefinitionChanges['updated'][number]): boolean {
  const places = ({ mounts, permissions, runtime }: ServiceDefinition): string =>
    JSON.stringify([mounts, permissions, runtime.type]);
  return places(before) !== places(after);
}
