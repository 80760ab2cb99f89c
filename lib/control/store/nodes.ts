import { Emitter, FsError, type Clock, type JsonObject, type JsonValue } from '../../core/index.js';
import type { ControlDatabase, Row } from './database.js';
import type { EventLog } from './events.js';
import { DescriptorTemplates, type NodeCatalog } from './descriptor-templates.js';
import type { CatalogChange, NodeCredentials, ServicesReplaced } from './node-changes.js';
import {
  proofsFromRow,
  recordFromRow,
  type NodeFacts,
  type NodeHolder,
  type NodeProofs,
  type NodeRecord,
} from './node-record.js';
import { refuseReservedName } from './node-names.js';
import { reloadChange } from './reload-change.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';
import { newCredentials, newLeaseToken } from './node-credentials.js';
import { hashFromSecret, secretMatches } from './secrets.js';
import {
  isEmptyDelta,
  piecesOf,
  sameVolatiles,
  serviceDelta,
  type CatalogService,
  type Delta,
} from './service-delta.js';
import { writeServiceRows } from './service-rows.js';
import { SoftLeases } from './soft-leases.js';

export type { CatalogChange, NodeCredentials, ServicesReplaced } from './node-changes.js';

/** Leases that are ended in one transaction: it is not to keep others waiting for long. */
const MAX_EXPIRED_AT_ONCE = 256;
const NOTHING: NodeCatalog = { services: new Map(), texts: new Map() };

/** Nodes, their leases, epochs and services. What is in memory is what is on disk. */
export class Nodes implements Derived {
  /** The id of a node of which anything changed, after it is on disk. */
  readonly changed = new Emitter<string>();
  /** Within the transaction, once the rows are written. */
  readonly replaced = new Emitter<ServicesReplaced>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #events: EventLog;
  readonly #records = new Map<string, NodeRecord>();
  /** Their ids in order, until there is another one. */
  #sorted: readonly string[] | undefined;
  /** By node; looked at with each message, so not asked of the database. */
  readonly #proofs = new Map<string, NodeProofs>();
  readonly #templates = new DescriptorTemplates();
  /** Of several control planes, this one; null where there is one only. */
  readonly #selfId: string | null;
  readonly #soft = new SoftLeases();

  constructor(db: ControlDatabase, clock: Clock, events: EventLog, selfId: string | null = null) {
    this.#db = db;
    this.#clock = clock;
    this.#events = events;
    this.#selfId = selfId;
    this.#load();
  }

  applied(rows: AppliedRows): void {
    const services = new Map<string, Map<string, CatalogService>>();
    for (const { key, row } of rows.of('services')) {
      const [nodeId, serviceId] = key as [string, string];
      let own = services.get(nodeId);
      if (own === undefined) services.set(nodeId, (own = new Map(this.#records.get(nodeId)?.services)));
      if (row === null) own.delete(serviceId);
      else own.set(serviceId, this.#serviceFromRow(nodeId, row));
    }
    for (const nodeId of new Set([
      ...rows.of('nodes').map(({ key }) => key[0] as string),
      ...services.keys(),
    ])) {
      this.#reload(nodeId, services.get(nodeId) ?? this.#records.get(nodeId)?.services);
      this.#db.afterChange(() => this.changed.emit(nodeId));
    }
  }

  get(nodeId: string): NodeRecord | undefined {
    return this.#records.get(nodeId);
  }

  /** @throws FsError ENOENT */
  require(nodeId: string): NodeRecord {
    const record = this.#records.get(nodeId);
    if (record === undefined) throw new FsError('ENOENT', `There is no node "${nodeId}".`);
    return record;
  }

  /** By their ids. */
  list(): NodeRecord[] {
    this.#sorted ??= [...this.#records.keys()].sort();
    return this.#sorted.flatMap((nodeId) => this.#records.get(nodeId) ?? []);
  }

  /**
   * Takes a new node in. Its id is its name, with a number behind it where the name is taken.
   * @throws FsError EINVAL for a name that a file beside the nodes has
   * With `ttlMs` null it has no secrets and no lease: a node of this same process.
   */
  join(facts: NodeFacts, ttlMs: number | null, ownName = false): NodeCredentials {
    refuseReservedName(facts.nodeName);
    let nodeId = facts.nodeName;
    for (let n = 2; this.#records.has(nodeId); n++) {
      if (ownName) throw new FsError('EEXIST', `There is a node "${nodeId}" already.`);
      nodeId = `${facts.nodeName.slice(0, 120)}-${n}`;
    }
    const now = this.#clock.now();
    const credentials = newCredentials(nodeId, now + (ttlMs ?? 0));
    this.#change(nodeId, () => {
      this.#db.run(
        `INSERT INTO nodes (node_id, node_name, secret_hash, lease_hash, lease_expires_at_ms, lease_ttl_ms, epoch, online,
         platform, labels, fs_url, joined_at_ms, last_seen_ms, catalog_revision) VALUES (?,?,?,?,?,?,0,0,?,?,?,?,?,0)`,
        nodeId,
        facts.nodeName,
        ttlMs === null ? null : hashFromSecret(credentials.nodeSecret),
        ttlMs === null ? null : hashFromSecret(credentials.leaseToken),
        ttlMs === null ? null : credentials.leaseExpiresAtMs,
        ttlMs,
        JSON.stringify(facts.platform),
        JSON.stringify(facts.labels),
        facts.fsUrl,
        now,
        now,
      );
      this.#events.append('node_joined', nodeId, { node_name: facts.nodeName });
    });
    return credentials;
  }

  /** New secrets and a new lease for the node of this name. @throws FsError ENOENT; EBUSY while it is online */
  rejoin({ nodeName: nodeId, fsUrl }: NodeFacts, ttlMs: number): NodeCredentials {
    if (this.require(nodeId).online)
      throw new FsError('EBUSY', `Node "${nodeId}" is online: end it, or take another name.`);
    const credentials = newCredentials(nodeId, this.#clock.now() + ttlMs);
    this.#change(nodeId, () =>
      this.#db.run(
        `UPDATE nodes SET secret_hash = ?, lease_hash = ?, lease_expires_at_ms = ?, lease_ttl_ms = ?, epoch = epoch + 1,
         fs_url = COALESCE(?, fs_url) WHERE node_id = ?`,
        hashFromSecret(credentials.nodeSecret),
        hashFromSecret(credentials.leaseToken),
        credentials.leaseExpiresAtMs,
        ttlMs,
        fsUrl,
        nodeId,
      ),
    );
    return credentials;
  }

  /** Whether this proves the node; the same time for an unknown node as for a wrong secret. */
  secretIs(nodeId: string, secret: string): boolean {
    return secretMatches(secret, this.#proofs.get(nodeId)?.secret);
  }

  leaseTokenIs(nodeId: string, token: string): boolean {
    return secretMatches(token, this.#proofs.get(nodeId)?.lease);
  }

  /** A new connection of the node: what older ones send is refused from now on. Returns the new epoch. */
  raiseEpoch(nodeId: string, holder: NodeHolder): number {
    this.#change(nodeId, () => {
      this.#db.run(
        'UPDATE nodes SET epoch = epoch + 1, successor = ?, replica = ? WHERE node_id = ?',
        JSON.stringify(holder),
        this.#selfId,
        nodeId,
      );
    });
    return this.require(nodeId).epoch;
  }

  /** As `raiseEpoch`; the node is alive, and its lease runs from now. */
  claim(nodeId: string, holder: NodeHolder): number {
    const { online } = this.require(nodeId);
    const now = this.#clock.now();
    this.#change(nodeId, () => {
      this.#db.run(
        `UPDATE nodes SET epoch = epoch + 1, successor = ?, lease_expires_at_ms = ? + lease_ttl_ms,
         last_seen_ms = ?, online = 1, replica = ? WHERE node_id = ?`,
        JSON.stringify(holder),
        now,
        now,
        this.#selfId,
        nodeId,
      );
      if (!online) this.#events.append('node_online', nodeId, {});
    });
    return this.require(nodeId).epoch;
  }

  /** The node is alive: its lease runs `ttlMs` from now (as before where undefined). Returns when it ends. */
  refresh(nodeId: string, ttlMs?: number): number {
    const before = this.require(nodeId);
    const now = this.#clock.now();
    if (this.#refreshSoftly(before, now, ttlMs)) return this.require(nodeId).leaseExpiresAtMs ?? 0;
    this.#change(nodeId, () => {
      this.#db.run(
        `UPDATE nodes SET lease_ttl_ms = COALESCE(?, lease_ttl_ms), lease_expires_at_ms = ? + COALESCE(?, lease_ttl_ms),
         last_seen_ms = ?, online = 1, replica = ? WHERE node_id = ?`,
        ttlMs ?? null,
        now,
        ttlMs ?? null,
        now,
        this.#selfId,
        nodeId,
      );
      if (!before.online) this.#events.append('node_online', nodeId, {});
    });
    return this.require(nodeId).leaseExpiresAtMs ?? 0;
  }

  /** A new lease token in place of the one before. */
  renewLeaseToken(nodeId: string): string {
    const token = newLeaseToken();
    this.#change(nodeId, () =>
      this.#db.run('UPDATE nodes SET lease_hash = ? WHERE node_id = ?', hashFromSecret(token), nodeId),
    );
    return token;
  }

  /** The node is gone for now; its descriptors stay. */
  setOffline(nodeId: string, reason: string): void {
    const record = this.#records.get(nodeId);
    if (record?.online !== true) return;
    this.#change(nodeId, () => {
      this.#db.run('UPDATE nodes SET online = 0 WHERE node_id = ?', nodeId);
      this.#events.append('node_offline', nodeId, { reason });
    });
  }

  /** Where the refreshes of a node that this replica looks after are not written: they keep it as it is. */
  #refreshSoftly(before: NodeRecord, now: number, ttlMs: number | undefined): boolean {
    const { nodeId, online, replica, leaseTtlMs } = before;
    const isSoft =
      this.#selfId !== null &&
      replica === this.#selfId &&
      online &&
      leaseTtlMs !== null &&
      (ttlMs ?? leaseTtlMs) === leaseTtlMs;
    if (!isSoft) return false;
    this.#soft.seen(nodeId, { lastSeenMs: now, leaseExpiresAtMs: now + leaseTtlMs });
    this.#records.set(nodeId, this.#soft.over(before));
    setImmediate(() => this.changed.emit(nodeId));
    return true;
  }

  /** Nodes that are online and whose lease has run out, as many as one change is to turn offline; and when the next one does. */
  overdue(concerns: (node: NodeRecord) => boolean = () => true): {
    expired: string[];
    next: number | undefined;
  } {
    const now = this.#clock.now();
    const expired: string[] = [];
    let next: number | undefined;
    for (const record of this.#records.values()) {
      const { nodeId, online, leaseExpiresAtMs } = record;
      if (!online || leaseExpiresAtMs === null || !concerns(record)) continue;
      if (leaseExpiresAtMs <= now && expired.length < MAX_EXPIRED_AT_ONCE) expired.push(nodeId);
      else next = Math.min(next ?? leaseExpiresAtMs, leaseExpiresAtMs);
    }
    return { expired, next };
  }

  isOverdue(nodeId: string): boolean {
    const expires = this.#records.get(nodeId)?.leaseExpiresAtMs;
    return expires != null && expires <= this.#clock.now();
  }

  delete(nodeId: string): void {
    const { services } = this.require(nodeId);
    this.#change(nodeId, () => {
      this.#writeServices(nodeId, serviceDelta(services, NOTHING.services), NOTHING);
      this.#db.run('DELETE FROM nodes WHERE node_id = ?', nodeId);
      this.#events.append('node_deleted', nodeId, {});
    });
  }

  describe(nodeId: string, facts: Partial<NodeFacts> & { reload?: JsonObject | null }): void {
    const record = this.require(nodeId);
    const isNew = (before: JsonValue, now: JsonValue | undefined): boolean =>
      now !== undefined && JSON.stringify(before) !== JSON.stringify(now);
    const isChange =
      isNew(record.platform, facts.platform) ||
      isNew(record.labels, facts.labels) ||
      isNew(record.fsUrl, facts.fsUrl) ||
      isNew(record.reload, facts.reload);
    if (!isChange) return;
    this.#change(nodeId, () => {
      const set = (column: string, value: string | null): void => {
        this.#db.run(`UPDATE nodes SET ${column} = ? WHERE node_id = ?`, value, nodeId);
      };
      if (facts.platform !== undefined) set('platform', JSON.stringify(facts.platform));
      if (facts.labels !== undefined) set('labels', JSON.stringify(facts.labels));
      if (facts.fsUrl !== undefined) set('fs_url', facts.fsUrl);
      if (facts.reload === undefined) return;
      if (!isNew(record.reload, facts.reload)) return;
      set('reload', facts.reload === null ? null : JSON.stringify(facts.reload));
      const change = facts.reload === null ? {} : reloadChange(record.reload, facts.reload);
      this.#events.append('node_reload', nodeId, change);
    });
  }

  /** Replaces the node's services with a checked snapshot. An equal one changes nothing. */
  upsert(nodeId: string, descriptors: readonly JsonObject[]): CatalogChange {
    return this.replaceServices(nodeId, this.catalogFrom(nodeId, descriptors));
  }

  /** What a node says that it offers, checked, for `replaceServices`. @throws FsError EINVAL, naming service and field */
  catalogFrom(nodeId: string, descriptors: readonly JsonObject[]): NodeCatalog {
    return this.#templates.catalogFrom(nodeId, descriptors);
  }

  /** As `upsert`, with what was worked out before. */
  replaceServices(nodeId: string, catalog: NodeCatalog): CatalogChange {
    const record = this.require(nodeId);
    const after = catalog.services;
    const delta = serviceDelta(record.services, after);
    if (isEmptyDelta(delta)) {
      if (!sameVolatiles(record.services, after))
        this.#change(nodeId, () => this.#writeRows(nodeId, [...after.values()], catalog));
      return { delta, changed: false, revision: record.catalogRevision, timestampMs: this.#clock.now() };
    }
    return this.#change(nodeId, () => this.#writeServices(nodeId, delta, catalog));
  }

  #writeServices(nodeId: string, delta: Delta, catalog: NodeCatalog): CatalogChange {
    const none = { delta, changed: false, revision: this.#events.head, timestampMs: this.#clock.now() };
    if (isEmptyDelta(delta)) return none;
    const before = this.#records.get(nodeId)?.services ?? NOTHING.services;
    for (const { service_id } of delta.removed) {
      this.#db.run('DELETE FROM services WHERE node_id = ? AND service_id = ?', nodeId, service_id);
    }
    const written = [...delta.added, ...delta.updated].flatMap(
      ({ service_id }) => catalog.services.get(service_id) ?? [],
    );
    const pieces = piecesOf(delta);
    const revision = this.#events.head + pieces.length;
    this.#db.run('UPDATE nodes SET catalog_revision = ? WHERE node_id = ?', revision, nodeId);
    this.#writeRows(nodeId, written, catalog);
    this.replaced.emit({ nodeId, delta, before, after: catalog.services, revision: this.#events.head + 1 });
    for (const piece of pieces) this.#events.append('services', nodeId, { ...piece });
    const timestampMs = this.#clock.now();
    return { delta, changed: true, revision, timestampMs };
  }

  #writeRows(nodeId: string, written: readonly CatalogService[], { services, texts }: NodeCatalog): void {
    writeServiceRows(this.#db, nodeId, written, texts);
    this.#reload(nodeId, services);
  }

  #change<T>(nodeId: string, work: () => T): T {
    return this.#db.change(() => {
      const result = work();
      this.#reload(nodeId);
      this.#db.afterChange(() => this.changed.emit(nodeId));
      return result;
    });
  }

  /** Brings the copy in memory up to the row; `services` where they changed. */
  #reload(nodeId: string, services = this.#records.get(nodeId)?.services): void {
    const before = { record: this.#records.get(nodeId), proofs: this.#proofs.get(nodeId) };
    const row = this.#db.get('SELECT * FROM nodes WHERE node_id = ?', nodeId);
    this.#db.onRollback(() => this.#put(nodeId, before.record, before.proofs));
    const record = row && this.#soft.over(recordFromRow(row, services ?? NOTHING.services));
    this.#put(nodeId, record, row && proofsFromRow(row));
  }

  #put(nodeId: string, record: NodeRecord | undefined, proofs: NodeProofs | undefined): void {
    if (this.#records.has(nodeId) !== (record !== undefined)) this.#sorted = undefined;
    if (record === undefined) this.#records.delete(nodeId);
    else this.#records.set(nodeId, record);
    if (proofs === undefined) this.#proofs.delete(nodeId);
    else this.#proofs.set(nodeId, proofs);
  }

  #load(): void {
    const services = new Map<string, Map<string, CatalogService>>();
    for (const row of this.#db.all('SELECT * FROM services ORDER BY node_id, service_id')) {
      const nodeId = row['node_id'] as string;
      let own = services.get(nodeId);
      if (own === undefined) services.set(nodeId, (own = new Map<string, CatalogService>()));
      own.set(row['service_id'] as string, this.#serviceFromRow(nodeId, row));
    }
    for (const row of this.#db.all('SELECT * FROM nodes')) {
      const nodeId = row['node_id'] as string;
      const own = services.get(nodeId) ?? NOTHING.services;
      this.#put(nodeId, recordFromRow(row, own), proofsFromRow(row));
    }
  }

  #serviceFromRow(nodeId: string, row: Row): CatalogService {
    const text = row['descriptor'] as string;
    const descriptor = JSON.parse(text) as JsonObject;
    return this.#templates.serviceFrom(nodeId, descriptor, { text, hash: row['hash'] as string });
  }
}
