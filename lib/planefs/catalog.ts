import type { CatalogService, ControlStore, NodeRecord } from '../control/index.js';
import type { Session } from '../policy/index.js';
import { noSuchEntry } from '../vfs/index.js';
import type { Presence } from './catalog-service.js';
import type { FindFar } from './far.js';

/** What a control plane's catalog needs to show a node at another machine. */
export interface CatalogNodeOptions {
  readonly store: ControlStore;
  readonly nodeId: string;
  readonly presence: () => Presence;
  /** How what these names lead to, from the node's directory, is found at the node. */
  readonly far: (...names: readonly string[]) => FindFar;
}

/** @throws FsError ENOENT where the session may not know of the node, though it has it open. */
export function requireSeen(store: ControlStore, nodeId: string, session: Session): NodeRecord {
  const record = store.nodes.get(nodeId);
  if (record === undefined || !store.access.seesNode(session, record)) throw noSuchEntry(nodeId);
  return record;
}

/** What a service's line says of it: while its node is away, it is not there either. */
export function stateOf({ descriptor }: CatalogService, isHere: boolean): string {
  if (!isHere) return 'offline';
  const { state } = descriptor;
  return typeof state === 'string' ? state : 'online';
}
