import { createHash } from 'node:crypto';
import { canonicalJson, type JsonObject } from '../../core/index.js';

export interface CatalogService {
  readonly serviceId: string;
  readonly version: string;
  /** sha256 (hex) over the canonical descriptor. */
  readonly hash: string;
  readonly descriptor: JsonObject;
}

export interface DeltaEntry extends JsonObject {
  readonly service_id: string;
  readonly version: string | null;
  readonly hash: string | null;
  readonly previous_version: string | null;
  readonly previous_hash: string | null;
}

export interface Delta {
  readonly added: readonly DeltaEntry[];
  readonly updated: readonly DeltaEntry[];
  readonly removed: readonly DeltaEntry[];
}

/** Fields that a node writes anew on each start; they say nothing about the service. */
const VOLATILE = new Set(['digest', 'revision', 'software', 'updated_at_ms']);

export function catalogServiceFromDescriptor(descriptor: JsonObject): CatalogService {
  const lasting = Object.fromEntries(Object.entries(descriptor).filter(([name]) => !VOLATILE.has(name)));
  const hash = createHash('sha256').update(canonicalJson(lasting)).digest('hex');
  return {
    serviceId: descriptor['service_id'] as string,
    version: typeof descriptor['version'] === 'string' ? descriptor['version'] : '1',
    hash,
    descriptor,
  };
}

/** What changed between two sets of services of one node. Pure. */
export function serviceDelta(
  before: ReadonlyMap<string, CatalogService>,
  after: ReadonlyMap<string, CatalogService>,
): Delta {
  const added: DeltaEntry[] = [];
  const updated: DeltaEntry[] = [];
  const removed: DeltaEntry[] = [];
  for (const [serviceId, service] of after) {
    const previous = before.get(serviceId);
    if (previous === undefined) added.push(deltaEntry(service, undefined));
    else if (previous.hash !== service.hash) updated.push(deltaEntry(service, previous));
  }
  for (const [serviceId, previous] of before)
    if (!after.has(serviceId)) removed.push(deltaEntry(undefined, previous));
  return { added, updated, removed };
}

export function deltaEntry(
  service: CatalogService | undefined,
  previous: CatalogService | undefined,
): DeltaEntry {
  return {
    service_id: (service ?? previous)!.serviceId,
    version: service?.version ?? null,
    hash: service?.hash ?? null,
    previous_version: previous?.version ?? null,
    previous_hash: previous?.hash ?? null,
  };
}

export function isEmptyDelta(delta: Delta): boolean {
  return delta.added.length + delta.updated.length + delta.removed.length === 0;
}
