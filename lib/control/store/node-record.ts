import type { JsonObject, JsonValue } from '../../core/index.js';
import type { Row } from './database.js';
import type { CatalogService } from './service-delta.js';

/** The holder of a node's epoch. */
export interface NodeHolder extends JsonObject {
  readonly instance_id: string;
  readonly address: string;
  readonly connected_at_ms: number;
  /** The version that it runs; absent where it did not say. */
  readonly software: string | null;
}

export interface NodeRecord {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly epoch: number;
  readonly online: boolean;
  readonly platform: JsonValue;
  readonly labels: JsonObject;
  readonly fsUrl: string | null;
  readonly leaseExpiresAtMs: number | null;
  readonly leaseTtlMs: number | null;
  readonly joinedAtMs: number;
  readonly lastSeenMs: number;
  /** The revision of the last change to its services. */
  readonly catalogRevision: number;
  readonly holder: NodeHolder | null;
  /** Of several control planes over one log, the one that looks after it: its connection is there, where it has one. Null: there is one only. */
  readonly replica: string | null;
  /** What the node said of its last reload of manifests. */
  readonly reload: JsonObject | null;
  readonly services: ReadonlyMap<string, CatalogService>;
}

export interface NodeFacts {
  readonly nodeName: string;
  readonly platform: JsonValue;
  readonly labels: JsonObject;
  readonly fsUrl: string | null;
}

/** What proves a node. */
export interface NodeProofs {
  readonly secret: Buffer | null;
  readonly lease: Buffer | null;
}

export function proofsFromRow(row: Row): NodeProofs {
  return { secret: bytesFrom(row['secret_hash']), lease: bytesFrom(row['lease_hash']) };
}

/** Of several rows read at once, the database gives bytes as an ArrayBuffer. */
function bytesFrom(value: unknown): Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value;
  return Buffer.from(value as ArrayBuffer);
}

export function recordFromRow(row: Row, services: ReadonlyMap<string, CatalogService>): NodeRecord {
  const json = (column: string): JsonValue => {
    const text = row[column] as string | null;
    return text === null ? null : (JSON.parse(text) as JsonValue);
  };
  return {
    nodeId: row['node_id'] as string,
    nodeName: row['node_name'] as string,
    epoch: row['epoch'] as number,
    online: row['online'] === 1,
    platform: json('platform'),
    labels: json('labels') as JsonObject,
    fsUrl: row['fs_url'] as string | null,
    leaseExpiresAtMs: row['lease_expires_at_ms'] as number | null,
    leaseTtlMs: row['lease_ttl_ms'] as number | null,
    joinedAtMs: row['joined_at_ms'] as number,
    lastSeenMs: row['last_seen_ms'] as number,
    catalogRevision: row['catalog_revision'] as number,
    holder: json('successor') as NodeHolder | null,
    replica: row['replica'] as string | null,
    reload: json('reload') as JsonObject | null,
    services,
  };
}
