import type { ControlDatabase, Row, SqlValue } from '../database.js';
import { excesses, lowWater } from '../fair-share.js';
import type { AppliedRows, Derived } from '../replica/row-changes.js';
import { BytesByNode } from './bytes-by-node.js';
import type { HistoryRetention } from './history-retention.js';
import type { VersionTexts } from './version-texts.js';

/** What a row takes beside its texts. */
const ROW_BYTES = 160;
const ROWS_AT_ONCE = 64;

/** The column `change` holds their places here: those that bring a version come first. */
export const CHANGES = ['added', 'updated', 'removed', 'enabled', 'disabled', 'config'] as const;
const BRINGS_VERSION = 'change <= 1';

/** One change as it is written. The version that runs has no text here: the catalog has it. */
export interface NewChange {
  readonly serviceId: string;
  readonly revision: number;
  readonly change: (typeof CHANGES)[number];
  readonly version: string | null;
  /** Hex. */
  readonly hash: string | null;
  readonly fields: readonly string[];
}

/** The version of a service that ran until now. */
export interface Superseded {
  readonly serviceId: string;
  readonly textId: number;
  /** Of the text, where it was not kept before. */
  readonly textBytes: number;
  readonly source: string | null;
}

/** Where a change stands among those of all services. */
export interface Place {
  readonly revision: number;
  readonly nodeId: string;
  readonly serviceId: string;
}

/** The rows of `service_changes`, and what of them goes when they are too many, too old or too much. */
export class VersionRows implements Derived {
  readonly #db: ControlDatabase;
  readonly #texts: VersionTexts;
  readonly #retention: HistoryRetention;
  /** What is counted, by node. */
  readonly #bytes: BytesByNode;

  constructor(db: ControlDatabase, texts: VersionTexts, retention: HistoryRetention) {
    this.#db = db;
    this.#texts = texts;
    this.#retention = retention;
    this.#bytes = new BytesByNode(
      db,
      'SELECT node_id, SUM(bytes + text_bytes) AS bytes FROM service_changes WHERE bytes > 0 GROUP BY node_id',
    );
  }

  applied(rows: AppliedRows): void {
    for (const { key, before, row } of rows.of('service_changes'))
      this.#bytes.add(key[0] as string, countedOf(row) - countedOf(before ?? null));
  }

  /** What is counted of all nodes. */
  get bytes(): number {
    return this.#bytes.total;
  }

  /** Oldest first. */
  of(nodeId: string, serviceId: string): Row[] {
    return this.#db.all(
      'SELECT * FROM service_changes WHERE node_id = ? AND service_id = ? ORDER BY revision',
      nodeId,
      serviceId,
    );
  }

  /** Up to `limit` changes of all nodes, or of one, that come before a place; newest first. */
  before({ revision, nodeId, serviceId }: Place, limit: number, only: string | null): Place[] {
    return this.#db
      .all(
        `SELECT revision, node_id, service_id FROM service_changes
         WHERE (revision, node_id, service_id) < (?,?,?)${only === null ? '' : ' AND node_id = ?'}
         ORDER BY revision DESC, node_id DESC, service_id DESC LIMIT ?`,
        ...[revision, nodeId, serviceId, ...(only === null ? [] : [only]), limit],
      )
      .map((row) => ({
        revision: row['revision'] as number,
        nodeId: row['node_id'] as string,
        serviceId: row['service_id'] as string,
      }));
  }

  /** All services that the node has were added at once, as they are. */
  addAll(nodeId: string, revision: number, timestampMs: number): void {
    this.#db.run(
      `INSERT INTO service_changes (node_id, service_id, revision, timestamp_ms, change, version, hash, bytes)
       SELECT node_id, service_id, ?, ?, ?, version, unhex(hash), 0 FROM services WHERE node_id = ?`,
      ...[revision, timestampMs, CHANGES.indexOf('added'), nodeId],
    );
  }

  add(nodeId: string, timestampMs: number, changes: readonly NewChange[]): void {
    for (let at = 0; at < changes.length; at += ROWS_AT_ONCE) {
      const rows = changes.slice(at, at + ROWS_AT_ONCE);
      this.#db.run(
        insertion(rows.length),
        nodeId,
        timestampMs,
        ...rows.flatMap((row) => this.#valuesOf(nodeId, row)),
      );
    }
  }

  /** The version that ran until now is counted from now on. */
  supersede(nodeId: string, { serviceId, textId, textBytes, source }: Superseded): void {
    const row = this.#db.get(
      `SELECT revision, LENGTH(CAST(fields AS BLOB)) AS fields FROM service_changes
       WHERE node_id = ? AND service_id = ? AND ${BRINGS_VERSION} ORDER BY revision DESC LIMIT 1`,
      nodeId,
      serviceId,
    );
    if (row === undefined) {
      this.#release(textId, 0);
      return;
    }
    const bytes = ROW_BYTES + Buffer.byteLength(source ?? '') + ((row['fields'] ?? 0) as number);
    this.#db.run(
      `UPDATE service_changes SET text_id = ?, source = ?, bytes = ?, text_bytes = ?
       WHERE node_id = ? AND service_id = ? AND revision = ?`,
      ...[textId, source, bytes, textBytes, nodeId, serviceId, row['revision'] as number],
    );
    this.#bytes.add(nodeId, bytes + textBytes);
  }

  /** Removes what one service has too much of. */
  trim(nodeId: string, serviceId: string): void {
    const newestGone = this.#db.get(
      `SELECT revision FROM service_changes WHERE node_id = ? AND service_id = ? AND bytes > 0
       ORDER BY revision DESC LIMIT 1 OFFSET ?`,
      nodeId,
      serviceId,
      this.#retention.maxChanges,
    );
    if (newestGone === undefined) return;
    const which = 'node_id = ? AND service_id = ? AND revision <= ? AND bytes > 0';
    this.#remove(which, nodeId, serviceId, newestGone['revision'] as number);
  }

  /** Removes the oldest of those nodes that have the most, where it is more than all may have. */
  shrink(): void {
    const { maxBytes } = this.#retention;
    if (this.#bytes.total <= maxBytes) return;
    for (const { account, excess } of excesses(this.#bytes.accounts(), 'bytes', lowWater(maxBytes)))
      this.#shrinkNode(account.origin, excess);
  }

  forgetOlderThan(timestampMs: number): void {
    this.#remove('timestamp_ms < ? AND bytes > 0', timestampMs);
  }

  forgetNode(nodeId: string): void {
    this.#remove('node_id = ?', nodeId);
  }

  #shrinkNode(nodeId: string, excess: number): void {
    const aim = this.#bytes.of(nodeId) - excess;
    while (this.#bytes.of(nodeId) > aim) {
      const oldest = this.#db.get(
        `SELECT MAX(revision) AS revision FROM (
           SELECT revision FROM service_changes WHERE node_id = ? AND bytes > 0 ORDER BY revision LIMIT ?)`,
        nodeId,
        ROWS_AT_ONCE,
      );
      const revision = oldest?.['revision'] ?? null;
      if (revision === null) return;
      this.#remove('node_id = ? AND revision <= ? AND bytes > 0', nodeId, revision);
    }
  }

  #remove(which: string, ...values: SqlValue[]): void {
    const gone = this.#db.all(
      `SELECT node_id, text_id, bytes, text_bytes FROM service_changes WHERE ${which}`,
      ...values,
    );
    if (gone.length === 0) return;
    this.#db.run(`DELETE FROM service_changes WHERE ${which}`, ...values);
    for (const row of gone) {
      const textBytes = row['text_bytes'] as number;
      this.#bytes.add(row['node_id'] as string, -(row['bytes'] as number) - textBytes);
      const textId = row['text_id'] as number | null;
      if (textId !== null) this.#release(textId, textBytes);
    }
  }

  /** A row that referred to the text is gone: another that does is charged with what it was, or the text goes too. */
  #release(textId: number, textBytes: number): void {
    const heir = this.#db.get(
      'SELECT node_id, service_id, revision FROM service_changes WHERE text_id = ? LIMIT 1',
      textId,
    );
    if (heir === undefined) {
      this.#texts.forget(textId);
      return;
    }
    if (textBytes === 0) return;
    const nodeId = heir['node_id'] as string;
    this.#db.run(
      `UPDATE service_changes SET text_bytes = text_bytes + ? WHERE node_id = ? AND service_id = ? AND revision = ?`,
      ...[textBytes, nodeId, heir['service_id'] as string, heir['revision'] as number],
    );
    this.#bytes.add(nodeId, textBytes);
  }

  #valuesOf(nodeId: string, { serviceId, revision, change, version, hash, fields }: NewChange): SqlValue[] {
    // What runs is not counted.
    const bytes = change === 'added' || change === 'updated' ? 0 : ROW_BYTES;
    if (bytes > 0) this.#bytes.add(nodeId, bytes);
    return [
      serviceId,
      revision,
      CHANGES.indexOf(change),
      version,
      hash === null ? null : Buffer.from(hash, 'hex'),
      fields.length === 0 ? null : JSON.stringify(fields),
      bytes,
    ];
  }
}

/** What runs is not counted. */
function countedOf(row: Row | null): number {
  const bytes = (row?.['bytes'] ?? 0) as number;
  return bytes > 0 ? bytes + (row?.['text_bytes'] as number) : 0;
}

function insertion(rows: number): string {
  const values = Array.from({ length: rows }, () => '(?1,?2,?,?,?,?,?,?,?)').join(',');
  return `INSERT INTO service_changes
    (node_id, timestamp_ms, service_id, revision, change, version, hash, fields, bytes) VALUES ${values}`;
}
