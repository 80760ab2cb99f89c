import { Emitter, type Clock, type JsonObject } from '../../core/index.js';
import { AuditOwners } from './audit-owners.js';
import { AuditSweep, type AuditRetention } from './audit-sweep.js';
import type { ControlDatabase, Row } from './database.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';
import { newPublicId } from './secrets.js';

/** One line of the audit log. */
export interface AuditRecord extends JsonObject {
  /** The origin: `control`, or a node's id. */
  readonly origin: string;
  /** Unique for its origin, so that a queued record that is sent twice is kept once. */
  readonly record_id: string;
  readonly timestamp_ms: number;
  /** What was tried: a message type, `invoke`, `control/enable` … */
  readonly act: string;
  /** `ok`, `denied`, `error` … */
  readonly outcome: string;
}

export type AuditEntry = AuditRecord & { readonly audit_id: number };

/** Rows that go to the database by one statement. */
const ROWS_AT_ONCE = 32;
/** How much is recorded before it is looked whether that is too much. */
const CHECK_RECORDS = 256;
const CHECK_BYTES = 1024 * 1024;

/**
 * Append-only: the database itself refuses to change a record, and to remove one other than in a sweep, which
 * is a record of its own.
 */
export class AuditLog implements Derived {
  readonly appended = new Emitter<AuditEntry>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #owners: AuditOwners;
  readonly #sweep: AuditSweep;
  #uncheckedRecords = 0;
  #uncheckedBytes = 0;

  constructor(db: ControlDatabase, clock: Clock, keep: AuditRetention) {
    this.#db = db;
    this.#clock = clock;
    this.#owners = new AuditOwners(db);
    this.#sweep = new AuditSweep(db, clock, this.#owners, keep);
  }

  /** Records an act of the control plane's own. Throws when it cannot: then the act must not happen. */
  record(facts: JsonObject & { readonly act: string; readonly outcome: string }): void {
    this.append([{ ...facts, origin: 'control', record_id: newPublicId(), timestamp_ms: this.#clock.now() }]);
  }

  applied(rows: AppliedRows): void {
    this.#owners.applied(rows);
    if (this.appended.size === 0) return;
    const entries = rows.of('audit').flatMap(({ row }) => (row === null ? [] : entryFromRow(row)));
    this.#db.afterChange(() => entries.forEach((entry) => this.appended.emit(entry)));
  }

  /** Takes records made elsewhere, each once. Returns those that were new. */
  append(records: readonly AuditRecord[]): readonly AuditRecord[] {
    return this.#db.change(() => {
      const added = this.#unknown(records);
      for (let at = 0; at < added.length; at += ROWS_AT_ONCE)
        this.#insert(added.slice(at, at + ROWS_AT_ONCE));
      if (added.length > 0 && this.appended.size > 0) {
        const entries = this.tail(added.length);
        this.#db.afterChange(() => entries.forEach((entry) => this.appended.emit(entry)));
      }
      if (this.#uncheckedRecords >= CHECK_RECORDS || this.#uncheckedBytes >= CHECK_BYTES) this.#shrink(false);
      return added;
    });
  }

  /** Looked up first, not left to a conflict, which would use up a number: a gap would look like a removal. */
  #unknown(records: readonly AuditRecord[]): AuditRecord[] {
    const unknown = new Map(
      records.map((record) => [JSON.stringify([record.origin, record.record_id]), record]),
    );
    for (const origin of new Set(records.map((record) => record.origin))) {
      const ids = records.filter((record) => record.origin === origin).map(({ record_id: id }) => id);
      const known = this.#db.all(
        'SELECT record_id AS id FROM audit WHERE origin = ? AND record_id IN (SELECT value FROM json_each(?))',
        origin,
        JSON.stringify(ids),
      );
      for (const { id = null } of known) unknown.delete(JSON.stringify([origin, id]));
    }
    return [...unknown.values()];
  }

  #insert(records: readonly AuditRecord[]): void {
    const rows = this.#owners.add(records.map((record) => ({ record, text: JSON.stringify(record) })));
    this.#db.run(
      `INSERT INTO audit (origin, record_id, timestamp_ms, record, owner, bytes)
       VALUES ${rows.map(() => '(?,?,?,?,?,?)').join()}`,
      ...rows.flatMap(({ record: { origin, record_id: id, timestamp_ms: atMs }, text, owner, bytes }) => [
        origin,
        id,
        atMs,
        text,
        owner,
        bytes,
      ]),
    );
    this.#uncheckedRecords += rows.length;
    this.#uncheckedBytes += rows.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Removes some of what is too old or too much; answers whether there may be more. */
  sweep(): boolean {
    return this.#db.change(() => this.#shrink(true));
  }

  /** The newest `limit` records, oldest first; with `afterId`, the oldest `limit` that follow it. */
  tail(limit: number, afterId?: number): AuditEntry[] {
    const rows =
      afterId === undefined
        ? this.#db.all('SELECT audit_id, record FROM audit ORDER BY audit_id DESC LIMIT ?', limit).reverse()
        : this.#db.all(
            'SELECT audit_id, record FROM audit WHERE audit_id > ? ORDER BY audit_id LIMIT ?',
            afterId,
            limit,
          );
    return rows.map(entryFromRow);
  }

  #shrink(withAge: boolean): boolean {
    this.#uncheckedRecords = 0;
    this.#uncheckedBytes = 0;
    const swept = this.#sweep.step(withAge);
    if (swept === undefined) return false;
    this.record({ act: 'audit_sweep', outcome: 'ok', ...swept });
    return true;
  }
}

function entryFromRow(row: Row): AuditEntry {
  return { ...(JSON.parse(row['record'] as string) as AuditRecord), audit_id: row['audit_id'] as number };
}
