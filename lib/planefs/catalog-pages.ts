import { createHash } from 'node:crypto';
import { volatilesOf, type CatalogService, type NodeRecord } from '../control/index.js';
import type { JsonValue, Unsubscribe } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  MAX_CATALOG_NODES,
  type CatalogNews,
  type CatalogPage as Page,
  type CatalogRequest,
  type CatalogSource,
} from '../tunnel/index.js';
import type { Presence } from './catalog.js';

type WireNode = Page['nodes'][number];
type WireService = NonNullable<WireNode['services']>[number];

/** The catalog of a control plane, for those who page through it. */
export interface PagedCatalog {
  /** The nodes that the session may see, in the order of their ids. */
  visible(session: Session): readonly NodeRecord[];
  find(session: Session, nodeId: string): NodeRecord | undefined;
  services(session: Session, node: NodeRecord): readonly CatalogService[];
  may(session: Session, node: NodeRecord, service: CatalogService, action: 'invoke' | 'control'): boolean;
  presence(nodeId: string): Presence;
  /** Called with each node of which the catalog says something else. */
  onChange(listener: (nodeId: string) => void): Unsubscribe;
}

/** How much of a catalog goes into one page, unless one descriptor alone is more. */
const PAGE_BYTES = 256 * 1024;
/** What is longer, and does not name the node, is said once for all who say it. */
const SHARED_CHARS = 80;

/** Of a node with more services it is not said which are left; the peer asks. */
const MAX_NAMED = 4096;

/** The catalog as the session of one connection sees it, page by page, and what of it changed since. */
export class CatalogPages implements CatalogSource {
  readonly #catalog: PagedCatalog;
  readonly #sessionOf: () => Session;
  /** The digests of what the peer was sent. */
  readonly #sent = new Map<string, string>();
  #isFollowed = false;

  constructor(catalog: PagedCatalog, sessionOf: () => Session) {
    this.#catalog = catalog;
    this.#sessionOf = sessionOf;
  }

  page(session: Session, { from, only, known }: CatalogRequest, maxBytes: number): Page {
    this.#isFollowed = true;
    const records =
      only === undefined
        ? this.#catalog.visible(session)
        : only.flatMap((nodeId) => this.#catalog.find(session, nodeId) ?? []);
    const page = new PageInMaking(maxBytes);
    const isKnown = new Set(known);
    const start = from === undefined ? 0 : records.findIndex(({ nodeId }) => nodeId >= from.node);
    for (const record of start < 0 ? [] : records.slice(start)) {
      const { nodeId } = record;
      if (page.isFull()) return { role: session.role, ...page.parts, next: { node: nodeId, at: 0 } };
      const services = this.#catalog.services(session, record);
      const digest = this.#digest(session, record, services);
      this.#sent.set(nodeId, digest);
      if (isKnown.has(digest)) {
        page.nodes.push({ node_id: nodeId, digest });
        continue;
      }
      const at = from?.node === nodeId ? from.at : 0;
      const facts = at > 0 ? {} : { facts: factsOf(record, this.#catalog.presence(nodeId)) };
      const shown: WireService[] = [];
      const node: WireNode = { node_id: nodeId, digest, ...facts, services: shown };
      page.nodes.push(node);
      for (const [index, service] of services.entries()) {
        if (index < at) continue;
        if (page.isFull()) {
          node.more = true;
          return { role: session.role, ...page.parts, next: { node: nodeId, at: index } };
        }
        const taken = page.take(service, nodeId, this.#rights(session, record, service));
        if (taken !== undefined) shown.push(taken);
      }
    }
    return { role: session.role, ...page.parts };
  }

  watch(listener: (nodes: readonly CatalogNews[]) => void): Unsubscribe {
    return this.#catalog.onChange((nodeId) => {
      const news = this.#isFollowed ? this.#newsOf(nodeId) : undefined;
      if (news !== undefined) listener([news]);
    });
  }

  forget(): void {
    this.#sent.clear();
    this.#isFollowed = false;
  }

  /** Undefined where the session sees nothing else of the node than it was sent. */
  #newsOf(nodeId: string): CatalogNews | undefined {
    const session = this.#sessionOf();
    if (session.revoked) return undefined;
    const record = this.#catalog.find(session, nodeId);
    if (record === undefined)
      return this.#sent.delete(nodeId) ? { node_id: nodeId, visible: false } : undefined;
    const services = this.#catalog.services(session, record);
    const digest = this.#digest(session, record, services);
    if (digest === this.#sent.get(nodeId)) return undefined;
    this.#sent.set(nodeId, digest);
    const named = services.length > MAX_NAMED ? {} : { services: services.map(({ serviceId }) => serviceId) };
    return { node_id: nodeId, visible: true, ...named };
  }

  #rights(session: Session, record: NodeRecord, service: CatalogService): WireService['may'] {
    return (['invoke', 'control'] as const).filter((action) =>
      this.#catalog.may(session, record, service, action),
    );
  }

  #digest(session: Session, record: NodeRecord, services: readonly CatalogService[]): string {
    const said = services.map((service) => [
      service.serviceId,
      digestOfService(service),
      ...this.#rights(session, record, service),
    ]);
    const { last_seen_ms: _, ...facts } = factsOf(record, this.#catalog.presence(record.nodeId));
    return digestOf(JSON.stringify([record.nodeId, facts, said]));
  }
}

function factsOf(record: NodeRecord, { isHere, sinceMs }: Presence): NonNullable<WireNode['facts']> {
  return {
    name: record.nodeName,
    platform: record.platform,
    labels: record.labels,
    software: record.holder?.software ?? null,
    joined_at_ms: record.joinedAtMs,
    last_seen_ms: record.lastSeenMs,
    online: isHere,
    since_ms: sinceMs,
  };
}

const DIGESTS = new WeakMap<CatalogService, string>();

function digestOfService(service: CatalogService): string {
  let digest = DIGESTS.get(service);
  if (digest === undefined)
    DIGESTS.set(service, (digest = digestOf(JSON.stringify([service.hash, ...volatilesOf(service)]))));
  return digest;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

class PageInMaking {
  readonly nodes: WireNode[] = [];
  readonly #values: JsonValue[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  isFull(): boolean {
    return this.#bytes >= Math.min(PAGE_BYTES, this.#maxBytes / 4) || this.nodes.length >= MAX_CATALOG_NODES;
  }

  get parts(): Pick<Page, 'nodes' | 'values'> {
    return { nodes: this.nodes, values: this.#values };
  }

  /** Undefined for a descriptor that no page can hold. */
  take(
    { serviceId, descriptor }: CatalogService,
    nodeId: string,
    may: WireService['may'],
  ): WireService | undefined {
    const fields: Record<string, JsonValue> = {};
    const shared: Record<string, number> = {};
    const fresh: [string, JsonValue][] = [];
    let bytes = 0;
    for (const [name, value] of Object.entries(descriptor)) {
      const text = JSON.stringify(value);
      bytes += name.length + 16;
      if (text.length <= SHARED_CHARS || text.includes(`/${nodeId}`)) {
        fields[name] = value;
        bytes += Buffer.byteLength(text);
        continue;
      }
      fields[name] = null;
      const index = this.#indexes.get(text);
      shared[name] = index ?? this.#values.length + fresh.length;
      if (index !== undefined) continue;
      fresh.push([text, value]);
      bytes += Buffer.byteLength(text);
    }
    if (bytes > this.#maxBytes / 2) return undefined;
    for (const [text, value] of fresh) this.#indexes.set(text, this.#values.push(value) - 1);
    this.#bytes += bytes;
    return { id: serviceId, fields, shared, may };
  }
}
