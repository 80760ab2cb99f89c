import type { Unsubscribe } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import { MAX_CATALOG_NODES, type CatalogNews, type FsReply, type FsRequest } from '../../protocol/index.js';

export { MAX_CATALOG_NODES };
export type { CatalogNews };

export type CatalogRequest = FsRequest<'catalog'>;
export type CatalogPage = FsReply<'catalog'>;

/** A catalog of what is served, as the session of one connection may see it. */
export interface CatalogSource {
  page(session: Session, request: CatalogRequest, maxBytes: number): CatalogPage;
  /** `listener` is called with the nodes of which it says something else than the last page did, and with no others. */
  watch(listener: (nodes: readonly CatalogNews[]) => void): Unsubscribe;
  /** The session's rights changed, and the peer was notified: it asks for everything again. */
  forget(): void;
}
