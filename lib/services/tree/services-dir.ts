import { FsError, documentFromJson, summaryFromHelp, type JsonObject } from '../../core/index.js';
import {
  IndexDocument,
  ReadOnlyDir,
  RenderedText,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type Node,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import { servicePath } from '../documents.js';
import type { ServiceHost } from '../service-host.js';
import type { Service } from '../service.js';

/** `/nodes/<id>/services/`: the services that the session may see, and their index. */
export class ServicesDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #host: ServiceHost;
  readonly #index: Node;
  #changedAtMs: number;

  constructor(host: ServiceHost) {
    super();
    this.#host = host;
    this.#changedAtMs = host.environment.clock.now();
    const text = new RenderedText();
    this.#index = new IndexDocument(
      {
        visible: (op) => {
          requireNode(host, op);
          return serviceIndex(host, op);
        },
        idOf: ({ service_id: id }) => id,
        render: (services) => text.snapshot(documentFromJson([...services]), host.environment.clock.now()),
      },
      { freshness: 'live' },
    );
  }

  /** Services came or went. */
  touch(): void {
    this.#changedAtMs = this.#host.environment.clock.now();
    this.#host.changes.emit({ what: 'data', ino: this.ino });
  }

  stat(op: Op): Stat {
    requireNode(this.#host, op);
    return dirStat(this.ino, nsFromMs(this.#changedAtMs));
  }

  lookup(name: string, op: Op): Node {
    requireNode(this.#host, op);
    if (name === 'SERVICES.json') return this.#index;
    const dir = this.#host.dir(name);
    if (dir?.service.gate.allows(op.session, 'observe') !== true) throw noSuchEntry(name);
    return dir;
  }

  list(op: Op): readonly DirEntry[] {
    requireNode(this.#host, op);
    const visible = this.#host.dirs.filter(({ service }) => service.gate.allows(op.session, 'observe'));
    return [...visible.map((dir) => entryOf(dir.service.id, dir)), entryOf('SERVICES.json', this.#index)];
  }
}

/** Users know a node by what it shows them; admins know all. */
export function seesNode(host: ServiceHost, { session }: Op): boolean {
  if (session.role === 'admin') return !session.revoked;
  return host.someDir(({ service }) => service.gate.allows(session, 'observe'));
}

/** @throws FsError ENOENT where the session may not know of the node, though it has it open. */
export function requireNode(host: ServiceHost, op: Op): void {
  if (!seesNode(host, op)) throw new FsError('ENOENT', 'There is no such node.');
}

/** SERVICES.json: what the session may see of the node's services. */
export function serviceIndex(host: ServiceHost, op: Op): ServiceEntry[] {
  return host.dirs
    .filter(({ service }) => service.gate.allows(op.session, 'observe'))
    .map(({ service }) => serviceEntry(service));
}

/** An entry of SERVICES.json. */
export interface ServiceEntry extends JsonObject {
  readonly node_id: string;
  readonly service_id: string;
  readonly service_path: string;
  readonly invoke_path: string | null;
  readonly has_invoke: boolean;
  readonly scope: 'node';
  readonly kind: string;
  readonly state: string;
  readonly summary: string;
}

function serviceEntry(service: Service): ServiceEntry {
  const path = servicePath(service);
  return {
    node_id: service.environment.nodeId,
    service_id: service.id,
    service_path: path,
    invoke_path: service.runnable ? `${path}/control/invoke.json` : null,
    has_invoke: service.runnable,
    scope: 'node',
    kind: service.definition.kind,
    state: service.health.state,
    summary: summaryFromHelp(service.definition.helpMd),
  };
}
