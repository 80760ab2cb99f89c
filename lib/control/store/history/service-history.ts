import {
  changedPointers,
  recordedDescriptor,
  type Clock,
  type JsonObject,
  type JsonValue,
} from '../../../core/index.js';
import {
  boundedFields,
  changeByControl,
  type RecordedChange,
  type ServiceRecords,
} from '../../../manifest/index.js';
import type { ControlDatabase, Row } from '../database.js';
import { permissionsOf } from '../descriptor-templates.js';
import type { ControlEvent, EventLog } from '../events.js';
import type { NodeRecord } from '../node-record.js';
import type { Nodes, ServicesReplaced } from '../nodes.js';
import type { AppliedRows, Derived } from '../replica/row-changes.js';
import type { CatalogService } from '../service-delta.js';
import { MAX_DELTA_ENTRIES } from '../../../protocol/index.js';
import { DEFAULT_HISTORY_RETENTION, type HistoryRetention } from './history-retention.js';
import { sourceIn } from './source-of.js';
import { CHANGES, VersionRows, type NewChange, type Place } from './version-rows.js';
import { VersionTexts } from './version-texts.js';

/**
 * What each service was: an entry for each change of its descriptor, and of what admins did to it, written in the
 * transaction of the change. What runs is not written a second time: its text is kept when another takes its place.
 */
export class ServiceHistory implements Derived {
  readonly #clock: Clock;
  readonly #nodes: Nodes;
  readonly #db: ControlDatabase;
  readonly #texts: VersionTexts;
  readonly #rows: VersionRows;
  readonly #retention: HistoryRetention;
  /** What nodes said of their manifests before the transaction under way. */
  readonly #reloads = new Map<string, JsonObject | null>();

  constructor(
    db: ControlDatabase,
    clock: Clock,
    { nodes, events }: { nodes: Nodes; events: EventLog },
    retention: Partial<HistoryRetention> = {},
  ) {
    this.#db = db;
    this.#clock = clock;
    this.#nodes = nodes;
    this.#retention = { ...DEFAULT_HISTORY_RETENTION, ...retention };
    this.#texts = new VersionTexts(db);
    this.#rows = new VersionRows(db, this.#texts, this.#retention);
    nodes.replaced.on((replaced) => this.#replaced(replaced));
    events.appending.on((event) => this.#happened(event));
    db.beforeCommit(() => this.#reloads.clear());
  }

  applied(rows: AppliedRows): void {
    this.#rows.applied(rows);
  }

  /** Bytes that are kept of what does not run. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /** What is recorded of a service, also of one that is gone; no changes where nothing is. */
  of(nodeId: string, serviceId: string): ServiceRecords {
    const rows = this.#rows.of(nodeId, serviceId);
    const node = this.#nodes.get(nodeId);
    const running = node?.services.get(serviceId);
    const changes = rows.map((row) => changeFromRow(row, () => sourceIn(node?.reload, serviceId)));
    const textOf = new Map(rows.map((row) => [row['revision'] as number, row['text_id'] as number | null]));
    const find = <T>(
      change: RecordedChange,
      inTexts: (textId: number) => T,
      atNode: (service: CatalogService) => T,
    ): T => {
      const textId = textOf.get(change.revision) ?? null;
      if (textId !== null) return inTexts(textId);
      if (running === undefined) throw new TypeError(`Revision ${change.revision} brought no version.`);
      return atNode(running);
    };
    return {
      serviceId,
      changes,
      permissionsOf: (change): JsonValue | undefined =>
        find(change, (textId) => this.#texts.permissionsOf(nodeId, textId), permissionsOf),
      descriptorOf: (change) =>
        find(
          change,
          (textId) => this.#texts.descriptorOf(nodeId, textId),
          ({ descriptor }) => recordedDescriptor(descriptor),
        ),
    };
  }

  /** Up to `limit` changes of all nodes, or of one, that come before a place, newest first. */
  before(place: Place, limit: number, nodeId: string | null = null): Place[] {
    return this.#rows.before(place, limit, nodeId);
  }

  /** Removes what is too old. */
  sweep(): void {
    this.#db.change(() => this.#rows.forgetOlderThan(this.#clock.now() - this.#retention.maxAgeMs));
  }

  #replaced({ nodeId, delta, before, after, revision }: ServicesReplaced): void {
    if (before.size === 0 && after.size <= MAX_DELTA_ENTRIES) {
      this.#rows.addAll(nodeId, revision, this.#clock.now());
      return;
    }
    const changes: NewChange[] = [];
    const superseded: string[] = [];
    const revisionAt = (at: number): number => revision + Math.floor(at / MAX_DELTA_ENTRIES);
    for (const [at, { service_id: serviceId, version, hash }] of delta.added.entries())
      changes.push({ serviceId, revision: revisionAt(at), change: 'added', version, hash, fields: [] });
    for (const [at, { service_id: serviceId, version, hash }] of delta.updated.entries()) {
      const [old, now] = [before.get(serviceId), after.get(serviceId)];
      if (old === undefined || now === undefined) continue;
      const fields = changedPointers(recordedDescriptor(old.descriptor), recordedDescriptor(now.descriptor));
      // It only fares otherwise.
      if (fields.length === 0) continue;
      this.#supersede(nodeId, old);
      superseded.push(serviceId);
      const row = { serviceId, revision: revisionAt(at), version, hash };
      changes.push({ ...row, change: 'updated', fields: boundedFields(fields) });
    }
    for (const [at, { service_id: serviceId }] of delta.removed.entries()) {
      const old = before.get(serviceId);
      if (old === undefined) continue;
      this.#supersede(nodeId, old);
      superseded.push(serviceId);
      changes.push({
        serviceId,
        revision: revisionAt(at),
        change: 'removed',
        version: null,
        hash: null,
        fields: [],
      });
    }
    this.#rows.add(nodeId, this.#clock.now(), changes);
    for (const serviceId of superseded) this.#rows.trim(nodeId, serviceId);
    this.#rows.shrink();
  }

  #supersede(nodeId: string, { serviceId, descriptor }: CatalogService): void {
    const { textId, bytes: textBytes } = this.#texts.keep(nodeId, recordedDescriptor(descriptor));
    const reload = this.#reloads.has(nodeId) ? this.#reloads.get(nodeId) : this.#nodes.get(nodeId)?.reload;
    this.#rows.supersede(nodeId, { serviceId, textId, textBytes, source: sourceIn(reload, serviceId) });
  }

  #happened({ kind, nodeId, payload, revision, timestampMs }: ControlEvent): void {
    if (nodeId === null) return;
    if (kind === 'node_deleted') this.#rows.forgetNode(nodeId);
    if (kind === 'node_reload' && !this.#reloads.has(nodeId)) this.#noteReload(nodeId);
    if (kind !== 'service_control') return;
    const change = changeByControl(payload['op']);
    const serviceId = payload['service_id'];
    if (change === undefined || typeof serviceId !== 'string') return;
    if (this.#nodes.get(nodeId)?.services.has(serviceId) !== true) return;
    this.#rows.add(nodeId, timestampMs, [
      { serviceId, revision, change, version: null, hash: null, fields: [] },
    ]);
    this.#rows.trim(nodeId, serviceId);
    this.#rows.shrink();
  }

  /** The record in memory is as it was before until the change is done. */
  #noteReload(nodeId: string): void {
    const before: NodeRecord['reload'] = this.#nodes.get(nodeId)?.reload ?? null;
    this.#reloads.set(nodeId, before);
    this.#db.onRollback(() => this.#reloads.delete(nodeId));
  }
}

function changeFromRow(row: Row, sourceOfRunning: () => string | null): RecordedChange {
  const hash = row['hash'] as ArrayBuffer | Buffer | null;
  const change = CHANGES[row['change'] as number] ?? 'updated';
  const isRunning = row['bytes'] === 0;
  return {
    revision: row['revision'] as number,
    timestampMs: row['timestamp_ms'] as number,
    change,
    version: row['version'] as string | null,
    hash: hash === null ? null : Buffer.from(hash as ArrayBuffer).toString('hex'),
    fields: row['fields'] === null ? [] : (JSON.parse(row['fields'] as string) as string[]),
    source: isRunning ? sourceOfRunning() : (row['source'] as string | null),
  };
}
