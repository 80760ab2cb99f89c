import type { ControlStore } from '../control/index.js';
import type { JsonObject } from '../core/index.js';
import { indexEntry, isInvocable, type ServiceEntry } from '../manifest/index.js';
import type { Action, Session } from '../policy/index.js';
import { actionsAmong, offersOf, type ActionsOfService } from '../worldfs/index.js';
import { stateOf, type Catalog, type CatalogRecord } from './catalog.js';
import { publishedFrom } from './catalog-service.js';

/** A node's line in NODES.json. */
export function summaryOf({ nodeId, nodeName, labels }: CatalogRecord, isHere: boolean): JsonObject {
  return {
    node_id: nodeId,
    name: nodeName,
    path: `/nodes/${nodeId}`,
    state: isHere ? 'online' : 'offline',
    labels,
  };
}

/** The entries of a node's SERVICES.json that a session may see, as the catalog knows them. */
export function catalogEntries(
  store: Catalog,
  record: CatalogRecord,
  session: Session,
  isHere: boolean,
): ServiceEntry[] {
  return store.access
    .visibleServices(session, record)
    .map((service) => indexEntry(publishedFrom({ record, service }), stateOf(service, isHere)));
}

/** What a session may do with the services that it sees. */
export function catalogActions(store: ControlStore, session: Session): Action[] {
  function* services(): Generator<ActionsOfService> {
    for (const node of store.nodes.list())
      for (const service of store.access.visibleServices(session, node))
        yield {
          offers: offersOf(service.descriptor, isInvocable(service.descriptor)),
          allows: (action) => store.access.decide(session, node, service, action).allow,
        };
  }
  return actionsAmong(session, services());
}
