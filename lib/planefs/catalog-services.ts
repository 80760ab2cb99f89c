import type { CatalogService } from '../control/index.js';
import { documentFromJson } from '../core/index.js';
import type { Session } from '../policy/index.js';
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
} from '../vfs/index.js';
import { requireSeen, type CatalogNodeOptions, type CatalogRecord } from './catalog.js';
import { catalogEntries } from './catalog-entries.js';
import { CatalogServiceDir, type CatalogServiceOptions, type KnownService } from './catalog-service.js';

/** `/nodes/<id>/services/` of another machine: the services of the catalog that the session may see, and their index. */
export class CatalogServicesDir extends ReadOnlyDir {
  readonly ino = newIno();
  readonly #options: CatalogNodeOptions;
  readonly #index: Node;
  readonly #dirs = new Map<string, CatalogServiceDir>();
  #changedAtMs: number;

  constructor(options: CatalogNodeOptions) {
    super();
    this.#options = options;
    this.#changedAtMs = options.store.clock.now();
    const texts = new StableSnapshots();
    const { store, presence, outage } = options;
    const isHere = (): boolean => outage === undefined && presence().isHere;
    this.#index = new IndexDocument(
      {
        visible: (op) => this.#visible(op),
        idOf: ({ serviceId }) => serviceId,
        render: (_services, { session }) =>
          texts.snapshot(
            session,
            documentFromJson(catalogEntries(store, this.#seen(session), session, isHere())),
            Math.max(this.#changedAtMs, presence().sinceMs),
            store.clock.now(),
          ),
      },
      { freshness: 'live' },
    );
  }

  /** Services came or went: those that went are let go of. */
  touch(): void {
    this.#changedAtMs = this.#options.store.clock.now();
    const { services } = this.#record();
    for (const serviceId of this.#dirs.keys()) if (!services.has(serviceId)) this.#dirs.delete(serviceId);
  }

  stat(op: Op): Stat {
    this.#seen(op.session);
    return dirStat(this.ino, nsFromMs(this.#changedAtMs));
  }

  lookup(name: string, op: Op): Node {
    this.#seen(op.session);
    if (name === 'SERVICES.json') return this.#index;
    if (!this.#isSeen(name, op.session)) throw noSuchEntry(name);
    return this.serviceDir(name);
  }

  list(op: Op): readonly DirEntry[] {
    const visible = this.#visible(op);
    return [
      ...visible.map(({ serviceId }) => entryOf(serviceId, this.serviceDir(serviceId))),
      entryOf('SERVICES.json', this.#index),
    ];
  }

  serviceDir(serviceId: string): CatalogServiceDir {
    let dir = this.#dirs.get(serviceId);
    if (dir === undefined) {
      dir = new CatalogServiceDir({
        find: (session) => this.#known(serviceId, session),
        isSeenBy: (session) => this.#isSeen(serviceId, session),
        presence: this.#options.presence,
        outage: this.#options.outage,
        atNode: (...names) => this.#options.atNode('services', serviceId, ...names),
        history: this.#historyOf(serviceId),
      });
      this.#dirs.set(serviceId, dir);
    }
    return dir;
  }

  #historyOf(serviceId: string): CatalogServiceOptions['history'] {
    const { store, nodeId } = this.#options;
    const { history, access, clock } = store;
    if (history === undefined) return undefined;
    return {
      check: ({ session }) => void this.#known(serviceId, session),
      records: () => history.of(nodeId, serviceId),
      sees:
        ({ session }) =>
        (permissions) =>
          access.wouldShow(session, nodeId, serviceId, permissions),
      now: () => clock.now(),
    };
  }

  /** Whether this is the inode number of one of its services. */
  has(ino: bigint): boolean {
    for (const dir of this.#dirs.values()) if (dir.ino === ino) return true;
    return false;
  }

  /** The inode numbers of the files that show states, as far as somebody may have seen them. */
  get stateInos(): bigint[] {
    return [...this.#dirs.values()].flatMap(({ stateIno }) => stateIno ?? []);
  }

  /** The inode number that somebody may have seen of the service's directory. */
  inoOf(serviceId: string): bigint | undefined {
    return this.#dirs.get(serviceId)?.ino;
  }

  /** The inode number that is shown for what `names` lead to at the node. */
  inoAt([serviceId, ...names]: readonly string[]): bigint | undefined {
    if (serviceId === undefined) return this.ino;
    return this.#dirs.get(serviceId)?.inoAt(names);
  }

  #visible({ session }: Op): CatalogService[] {
    return this.#options.store.access.visibleServices(session, this.#seen(session));
  }

  #isSeen(serviceId: string, session: Session): boolean {
    const { store, nodeId } = this.#options;
    const record = store.nodes.get(nodeId);
    const service = record?.services.get(serviceId);
    if (record === undefined || service === undefined) return false;
    return store.access.decide(session, record, service, 'observe').allow;
  }

  #known(serviceId: string, session: Session): KnownService {
    const { access } = this.#options.store;
    const record = this.#seen(session);
    const service = record.services.get(serviceId);
    if (service === undefined || !access.decide(session, record, service, 'observe').allow)
      throw noSuchEntry(serviceId);
    return { record, service, may: (action) => access.decide(session, record, service, action).allow };
  }

  #seen(session: Session): CatalogRecord {
    return requireSeen(this.#options.store, this.#options.nodeId, session);
  }

  #record(): CatalogRecord {
    return this.#options.store.nodes.require(this.#options.nodeId);
  }
}
