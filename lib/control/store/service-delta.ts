import { createHash } from 'node:crypto';
import {
  canonicalJson,
  lastingDescriptor,
  VOLATILE_FIELDS,
  type JsonObject,
  type JsonValue,
} from '../../core/index.js';
import { MAX_DELTA_ENTRIES } from '../../protocol/index.js';

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

export function catalogServiceFromDescriptor(descriptor: JsonObject): CatalogService {
  const hash = createHash('sha256')
    .update(canonicalJson(lastingDescriptor(descriptor)))
    .digest('hex');
  return {
    serviceId: descriptor['service_id'] as string,
    version: typeof descriptor['version'] === 'string' ? descriptor['version'] : '1',
    hash,
    descriptor,
  };
}

/** What its hash does not cover. */
export function volatilesOf(service: CatalogService): (JsonValue | undefined)[] {
  const { descriptor } = service;
  return [...VOLATILE_FIELDS].map((name) => descriptor[name]);
}

/** Whether what a node writes anew by itself is as it was, in every service. Pure. */
export function sameVolatiles(
  before: ReadonlyMap<string, CatalogService>,
  after: ReadonlyMap<string, CatalogService>,
): boolean {
  const text = (service: CatalogService): string => JSON.stringify(volatilesOf(service));
  for (const [serviceId, service] of after) {
    const previous = before.get(serviceId);
    if (previous === undefined || text(previous) !== text(service)) return false;
  }
  return true;
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
    if (previous === undefined) added.push(deltaEntry(serviceId, service, undefined));
    else if (previous.hash !== service.hash) updated.push(deltaEntry(serviceId, service, previous));
  }
  for (const [serviceId, previous] of before)
    if (!after.has(serviceId)) removed.push(deltaEntry(serviceId, undefined, previous));
  return { added, updated, removed };
}

/** What a view of a node gets when `reported` changed there, and it shows `after` where it showed `before`. Pure. */
export function deltaOfView(
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  reported: readonly Delta[],
  services: ReadonlyMap<string, CatalogService> | undefined,
): Delta {
  const entries = new Map<string, DeltaEntry>();
  for (const { added, updated, removed } of reported)
    for (const entry of [...added, ...updated, ...removed]) entries.set(entry.service_id, entry);
  const entryOf = (id: string): DeltaEntry => deltaEntry(id, services?.get(id), undefined);
  return {
    added: [...after].filter((id) => !before.has(id)).map(entryOf),
    updated: [...after].flatMap((id) => (before.has(id) ? (entries.get(id) ?? []) : [])),
    removed: [...before]
      .filter((id) => !after.has(id))
      .map((id) => removalOf(id, entries.get(id) ?? entryOf(id))),
  };
}

function removalOf(serviceId: string, entry: DeltaEntry): DeltaEntry {
  const { version, hash, previous_version, previous_hash } = entry;
  return {
    service_id: serviceId,
    version: null,
    hash: null,
    previous_version: previous_version ?? version,
    previous_hash: previous_hash ?? hash,
  };
}

export function deltaEntry(
  serviceId: string,
  service: CatalogService | undefined,
  previous: CatalogService | undefined,
): DeltaEntry {
  return {
    service_id: serviceId,
    version: service?.version ?? null,
    hash: service?.hash ?? null,
    previous_version: previous?.version ?? null,
    previous_hash: previous?.hash ?? null,
  };
}

/** The same change in pieces that fit a frame each. */
export function piecesOf(delta: Delta): Delta[] {
  const { added, updated, removed } = delta;
  const most = Math.max(added.length, updated.length, removed.length);
  return Array.from({ length: Math.ceil(most / MAX_DELTA_ENTRIES) }, (_, at) => {
    const piece = (entries: readonly DeltaEntry[]): readonly DeltaEntry[] =>
      entries.slice(at * MAX_DELTA_ENTRIES, (at + 1) * MAX_DELTA_ENTRIES);
    return { added: piece(added), updated: piece(updated), removed: piece(removed) };
  });
}

export function isEmptyDelta(delta: Delta): boolean {
  return delta.added.length + delta.updated.length + delta.removed.length === 0;
}
