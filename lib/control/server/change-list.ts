import { setImmediate as turn } from 'node:timers/promises';
import {
  historyForAdmins,
  historyForUser,
  NO_RECORDS,
  type ServiceRecords,
  type ShownChange,
} from '../../manifest/index.js';
import type { Session } from '../../policy/index.js';
import { ProtocolFault } from '../../protocol/index.js';
import type { Place } from '../store/history/version-rows.js';
import type { ControlStore } from '../store/store.js';

/** Changes that are looked at in one go. */
const AT_ONCE = 500;
/** So many are looked at for one page at most, whether or not the session may see them. */
const MOST_LOOKED_AT = 100_000;

const NEWEST: Place = { revision: Number.MAX_SAFE_INTEGER, nodeId: '', serviceId: '' };

/** What is shown of one service. */
interface ShownService {
  readonly records: ServiceRecords;
  readonly shown: readonly ShownChange[];
}

export interface PlacedChange {
  readonly place: Place;
  readonly shown: ShownChange;
}

interface Filter {
  readonly nodeId?: string | undefined;
  readonly serviceId?: string | undefined;
}

const NOTHING: ShownService = { records: NO_RECORDS, shown: [] };

/** The changes of all services as one session may see them, newest first. */
export class ChangeList {
  readonly isAdmin: boolean;
  readonly #store: ControlStore;
  readonly #session: Session;
  /** By node and service; a page mostly is about few. */
  readonly #services = new Map<string, ShownService>();

  constructor(store: ControlStore, session: Session) {
    this.#store = store;
    this.#session = session;
    this.isAdmin = session.role === 'admin';
  }

  /** A service that is hidden, or on a hidden node, has no history; one that is gone has that of who saw it last. */
  of(nodeId: string, serviceId: string): ShownService {
    const key = `${nodeId}/${serviceId}`;
    let found = this.#services.get(key);
    if (found === undefined) this.#services.set(key, (found = this.#look(nodeId, serviceId)));
    return found;
  }

  /** Up to `limit` changes older than a place, and where the next page begins if there is one. */
  async page(
    from: Place = NEWEST,
    limit: number,
    { nodeId, serviceId }: Filter,
  ): Promise<{ readonly found: PlacedChange[]; readonly next?: Place }> {
    const found: PlacedChange[] = [];
    let [at, lookedAt] = [from, 0];
    for (;;) {
      const places = this.#store.history.before(at, AT_ONCE, nodeId ?? null);
      for (const place of places) {
        if (found.length === limit) return { found, next: at };
        at = place;
        if (serviceId !== undefined && place.serviceId !== serviceId) continue;
        const shown = this.of(place.nodeId, place.serviceId).shown.find(
          ({ recorded }) => recorded.revision === place.revision,
        );
        if (shown !== undefined) found.push({ place, shown });
      }
      lookedAt += places.length;
      if (places.length < AT_ONCE) return { found };
      if (lookedAt >= MOST_LOOKED_AT) return { found, next: at };
      await turn();
    }
  }

  textOf({ revision, nodeId, serviceId }: Place): string {
    return `${revision}/${nodeId}/${serviceId}`;
  }

  /** @throws ProtocolFault `invalid_payload` */
  placeFrom(text: string | undefined): Place {
    const [, revision, nodeId, serviceId] = /^(\d{1,16})\/([^/]*)\/([^/]*)$/.exec(text ?? '') ?? [];
    if (nodeId === undefined || serviceId === undefined)
      throw new ProtocolFault('invalid_payload', '`after` is the `next` of the page before.');
    return { revision: Number(revision), nodeId, serviceId };
  }

  #look(nodeId: string, serviceId: string): ShownService {
    const { nodes, access, history } = this.#store;
    const node = nodes.get(nodeId);
    if (node === undefined || !access.seesNode(this.#session, node)) return NOTHING;
    const running = node.services.get(serviceId);
    if (running !== undefined && !access.decide(this.#session, node, running, 'observe').allow)
      return NOTHING;
    const records = history.of(nodeId, serviceId);
    if (this.isAdmin) return { records, shown: historyForAdmins(records) };
    const shown = historyForUser(records, (permissions) =>
      access.wouldShow(this.#session, nodeId, serviceId, permissions),
    );
    const wasSeen = running !== undefined || shown.at(-1)?.recorded === records.changes.at(-1);
    return wasSeen ? { records, shown } : NOTHING;
  }
}
