import { FsError, idFrom, type JsonObject, type JsonValue } from '../core/index.js';
import type { SentRecord } from './client/audit-sender.js';
import { takeNodeRecords } from './store/node-acts.js';
import type { SentReport } from './client/report-sender.js';
import type { CatalogChange } from './store/nodes.js';
import type { ControlStore } from './store/store.js';

export interface InProcessNodeFacts {
  /** Its id as well: a local node keeps it from start to start. */
  readonly nodeName: string;
  readonly platform: JsonValue;
  readonly labels: JsonObject;
}

/** A node that runs in the process of the control plane: the same catalog, without the wire. */
export interface InProcessNode {
  readonly nodeId: string;
  /** Replaces its services with a snapshot. @throws FsError EINVAL for a descriptor that is not right. */
  upsert(descriptors: readonly JsonObject[], reload?: JsonObject | null): CatalogChange;
  /** Takes what it recorded; each record once. */
  audit(records: readonly SentRecord[]): void;
  /** Takes what it says of a reload; each report once. */
  report(report: SentReport): void;
  /** It is offline from now on. */
  detach(): void;
}

/** @throws FsError EEXIST when a node at a distance has the name already */
export function attachInProcessNode(store: ControlStore, facts: InProcessNodeFacts): InProcessNode {
  const nodeId = idFrom<string>(facts.nodeName, 'The node name');
  const { nodes } = store;
  if (nodes.get(nodeId)?.leaseExpiresAtMs != null)
    throw new FsError('EEXIST', `Another machine is paired as node "${nodeId}".`, {
      hint: 'Give this one another --node-name, or remove that one: acheron nodes delete.',
    });
  store.change(() => {
    if (nodes.get(nodeId) === undefined) nodes.join({ ...facts, fsUrl: null }, null, true);
    nodes.describe(nodeId, { platform: facts.platform, labels: facts.labels });
    nodes.refresh(nodeId);
  });
  return {
    nodeId,
    upsert: (descriptors, reload) => {
      const catalog = nodes.catalogFrom(nodeId, descriptors);
      return store.change(() => {
        if (reload !== undefined) nodes.describe(nodeId, { reload });
        return nodes.replaceServices(nodeId, catalog);
      });
    },
    report: (report) => void store.change(() => store.reloads.add(nodeId, report)),
    audit: (records) => void takeNodeRecords(store, nodeId, records),
    detach: () => nodes.setOffline(nodeId, 'stopped'),
  };
}
