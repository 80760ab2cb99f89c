import { FsError, documentFromJson } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  IndexDocument,
  ReadOnlyDir,
  StableSnapshots,
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
import { indexEntry, type ServiceEntry } from '../../manifest/index.js';
import { describedFrom } from '../documents.js';
import { stateOf } from '../live-documents.js';
import type { Service } from '../service.js';
import type { ServiceHost } from '../service-host.js';

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
    const texts = new StableSnapshots();
    this.#index = new IndexDocument(
      {
        visible: (op) => {
          requireNode(host, op);
          return seenServices(host, op);
        },
        idOf: ({ id }) => id,
        render: (services, { session }) =>
          texts.snapshot(
            session,
            documentFromJson(services.map(entryOfService)),
            servicesChangedAtMs(host, session),
            host.environment.clock.now(),
          ),
      },
      { freshness: 'live' },
    );
  }

  /** Services came or went. */
  touch(): void {
    this.#changedAtMs = this.#host.environment.clock.now();
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

/** When one of the services that the session sees was defined or changed its health. */
export function servicesChangedAtMs(host: ServiceHost, session: Session): number {
  const times = host.dirs
    .filter(({ service }) => service.gate.allows(session, 'observe'))
    .map(({ service }) => Math.max(service.definedAtMs, service.health.lastTransitionMs ?? 0));
  return Math.max(0, ...times);
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
  return seenServices(host, op).map(entryOfService);
}

function seenServices(host: ServiceHost, { session }: Op): Service[] {
  return host.dirs.map(({ service }) => service).filter((service) => service.gate.allows(session, 'observe'));
}

function entryOfService(service: Service): ServiceEntry {
  return indexEntry(describedFrom(service), stateOf(service));
}
