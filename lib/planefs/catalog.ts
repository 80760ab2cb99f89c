import type { CatalogService, NodeRecord } from '../control/index.js';
import type { Clock, FsError, JsonValue } from '../core/index.js';
import type { Action, Session } from '../policy/index.js';
import { noSuchEntry } from '../vfs/index.js';
import type { HistorySource } from '../services/index.js';
import type { FindAtNode } from './fallback-nodes.js';

/** What a catalog says of a node. */
export type CatalogRecord = Pick<
  NodeRecord,
  'nodeId' | 'nodeName' | 'platform' | 'labels' | 'holder' | 'joinedAtMs' | 'lastSeenMs' | 'services'
>;

/** Whether a node can be asked, and when that changed last. */
export interface Presence {
  readonly isHere: boolean;
  readonly sinceMs: number;
}

/** What is known of nodes, and who may know it: all of it at a control plane, one session's part at a mount. */
export interface Catalog {
  readonly nodes: {
    get(nodeId: string): CatalogRecord | undefined;
    /** @throws FsError ENOENT */
    require(nodeId: string): CatalogRecord;
  };
  readonly access: {
    seesNode(session: Session, node: CatalogRecord): boolean;
    visibleServices(session: Session, node: CatalogRecord): CatalogService[];
    decide(
      session: Session,
      node: CatalogRecord,
      service: CatalogService,
      action: Action,
    ): { readonly allow: boolean };
    /** Whether the session would see a service, were these its permissions. */
    wouldShow(
      session: Session,
      nodeId: string,
      serviceId: string,
      permissions: JsonValue | undefined,
    ): boolean;
  };
  /** Absent where nothing is known of what services were. */
  readonly history?: HistorySource;
  readonly clock: Clock;
}

/** What a catalog needs to show a node at another machine. */
export interface CatalogNodeOptions {
  readonly store: Catalog;
  readonly nodeId: string;
  readonly presence: () => Presence;
  /** Why nothing live is known, not even whether the node is away; absent where that is known. */
  readonly outage?: () => FsError;
  /** How what these names lead to, from the node's directory, is found at the node. */
  readonly atNode: (...names: readonly string[]) => FindAtNode;
  /** Whether it offers folders of which its catalog says nothing, to that session. Absent: it does not. */
  readonly offersMore?: (session: Session) => boolean;
}

/** @throws FsError ENOENT where the session may not know of the node, though it has it open. */
export function requireSeen(store: Catalog, nodeId: string, session: Session): CatalogRecord {
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
