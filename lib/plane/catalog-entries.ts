import type { ControlStore, NodeRecord } from '../control/index.js';
import { indexEntry, type ServiceEntry } from '../manifest/index.js';
import type { Session } from '../policy/index.js';
import { stateOf } from './catalog.js';
import { publishedFrom } from './catalog-service.js';

/** The entries of a node's SERVICES.json that a session may see, as the catalog knows them. */
export function catalogEntries(
  store: ControlStore,
  record: NodeRecord,
  session: Session,
  isHere: boolean,
): ServiceEntry[] {
  return store.access
    .visibleServices(session, record)
    .map((service) => indexEntry(publishedFrom({ record, service }), stateOf(service, isHere)));
}
