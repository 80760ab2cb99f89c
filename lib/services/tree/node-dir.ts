import { documentFromJson } from '../../core/index.js';
import {
  CheckedDocument,
  ReadOnlyDir,
  RenderedText,
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
import { ServicesDir, requireNode, seesNode, serviceIndex, type ServiceEntry } from './services-dir.js';

export interface NodeDirOptions {
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** Directories of built-in providers (`fs`), by name. */
  readonly providers: ReadonlyMap<string, Provider>;
}

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
      ['README.md', this.#document(() => Buffer.from(this.#readme()), 'announced')],
      ['NODE.json', this.#document(() => documentFromJson(this.#node()), 'announced')],
      ['STATUS.json', this.#document((op) => documentFromJson(this.#status(op)), 'live')],
      ['CAPS.json', this.#document(() => documentFromJson(this.#capabilities()), 'announced')],
      ['services', this.#services],
    ]);
    this.#roots = this.#placedRoots();
  }

  /** The registry's definitions changed. */
  apply(changes: DefinitionChanges): void {
    this.#host.apply(changes);
    const names = [...changes.added, ...changes.removed].map((definition) => definition.serviceId);
    for (const name of names) this.#host.changes.emit({ what: 'entry', ino: this.#services.ino, name });
    if (names.length > 0) this.#services.touch();
    const moved = changes.updated.some(
      ({ before, after }) =>
        JSON.stringify([before.mounts, before.permissions]) !==
        JSON.stringify([after.mounts, after.permissions]),
    );
    if (names.length > 0 || moved) {
      this.#roots = this.#placedRoots();
      this.#host.changes.emit({ what: 'all' });
    }
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
      for (const { mountPath } of dir.service.definition.mounts) {
        if (mountPath.startsWith(prefix)) roots.place(mountPath.slice(prefix.length).split('/'), dir);
      }
    }
    return roots;
  }

  #rootIno(path: string): bigint {
    let ino = this.#rootInos.get(path);
    if (ino === undefined) this.#rootInos.set(path, (ino = newIno()));
    return ino;
  }

  #document(render: (op: Op) => Buffer, freshness: 'announced' | 'live'): Node {
    const text = new RenderedText();
    return new CheckedDocument(
      (op) =>
        text.snapshot(
          render(op),
          freshness === 'announced' ? this.#startedAtMs : this.#host.environment.clock.now(),
        ),
      (op) => requireNode(this.#host, op),
      { freshness },
    );
  }

  #node(): object {
    const { nodeId, nodeName, platform } = this.#host.environment;
    return {
      node_id: nodeId,
      name: nodeName,
      platform,
      version: this.#options.version,
      labels: this.#options.labels,
    };
  }

  #status(op: Op): object {
    const services = serviceIndex(this.#host, op);
    const count = (state: string): number => services.filter((service) => service.state === state).length;
    return {
      state: 'online',
      services: {
        total: services.length,
        online: count('online'),
        degraded: count('degraded'),
        offline: count('offline'),
      },
      started_at: new Date(this.#startedAtMs).toISOString(),
    };
  }

  #capabilities(): object {
    return {
      services: true,
      invoke: true,
      fs: this.#options.providers.has('fs'),
      terminal: this.#host.dirs.some(({ service }) => service.definition.kind === 'terminal'),
    };
  }

  #readme(): string {
    const { nodeName } = this.#host.environment;
    return `# Node ${nodeName}

A machine that offers services. Each is a directory in services/; services/SERVICES.json is their
index. Read a service's README.md to learn how to call it. From this directory:

    ls services
    cat services/SERVICES.json
`;
  }
}
