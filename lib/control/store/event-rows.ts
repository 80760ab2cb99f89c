import type { JsonObject } from '../../core/index.js';
import type { ControlDatabase, SqlValue } from './database.js';
import { excesses, type Account, type Measure } from './fair-share.js';
import type { AppliedChange } from './replica/row-changes.js';

/** What a row takes beside its payload. */
const ROW_BYTES = 128;
const MAX_NAME = 128;
/** Events that somebody can cause without end. They share apart from what the catalog itself went through. */
export const OF_A_SERVICE: ReadonlySet<string> = new Set([
  'service_health',
  'service_control',
  'invocation_finished',
]);

/** The rows of one log of events: all of `events`, or those of one view. */
export interface EventTable {
  readonly table: 'events' | 'view_events';
  /** The column that numbers them, from 1 and without gaps. */
  readonly number: 'revision' | 'seq';
  /** Which of the table's rows they are. */
  readonly where: string;
  readonly values: readonly SqlValue[];
}

type EventAccount = Account & { readonly owner: string };

/**
 * How much a log of events is, and what of it goes when that is too much: the oldest events of those who have
 * the most, first of the nodes, then of kinds and principals within them. What is left has gaps then, below
 * `oldest`; from there on it is whole. The newest event always stays.
 */
export class EventRows {
  readonly #db: ControlDatabase;
  readonly #of: EventTable;
  /** By owner. */
  readonly #accounts = new Map<string, EventAccount>();
  #records = 0;
  #bytes = 0;
  #oldest: number;

  constructor(db: ControlDatabase, of: EventTable) {
    this.#db = db;
    this.#of = of;
    const { table, where, values } = of;
    const sums = `SELECT owner, COUNT(*) AS n, SUM(bytes) AS bytes FROM ${table} WHERE ${where} GROUP BY owner`;
    for (const row of db.all(sums, ...values))
      this.#count(row['owner'] as string, row['n'] as number, row['bytes'] as number);
    this.#oldest = this.#findOldest();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** From this event on all are kept; 1 before the first. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The oldest event that is kept, though some that followed it may be gone; 1 before the first. */
  get first(): number {
    const { table, number, where, values } = this.#of;
    const row = this.#db.get(`SELECT MIN(${number}) AS first FROM ${table} WHERE ${where}`, ...values);
    return (row?.['first'] ?? 1) as number;
  }

  /** Counts an event, and answers how large it is. */
  add(owner: string, text: string): number {
    const bytes = Buffer.byteLength(text) + ROW_BYTES;
    this.#change(owner, 1, bytes);
    return bytes;
  }

  /** Counts what an entry of the log added and removed. */
  applied(changes: readonly AppliedChange[]): void {
    for (const { before, row } of changes) {
      if (before === undefined && row !== null)
        this.#change(row['owner'] as string, 1, row['bytes'] as number);
      if (before === undefined || row !== null) continue;
      this.#change(before['owner'] as string, -1, -(before['bytes'] as number));
      this.#oldest = Math.max(this.#oldest, (before[this.#of.number] as number) + 1);
    }
  }

  /** Removes what is older than that, but for the newest. */
  forgetOlderThan(timestampMs: number): void {
    const { table, number, where, values } = this.#of;
    const young = this.#db.get(
      `SELECT ${number} AS n FROM ${table} WHERE ${where} AND timestamp_ms >= ? ORDER BY ${number} LIMIT 1`,
      ...values,
      timestampMs,
    );
    this.#remove(`${number} < ?`, [young?.['n'] ?? this.#newest]);
  }

  /** Removes what is more than `most`, from those who have the most. */
  shrink(measure: Measure, most: number): void {
    const held = measure === 'bytes' ? this.#bytes : this.#records;
    if (held <= most) return;
    const newest = this.#newest;
    for (const { account, excess } of excesses([...this.#accounts.values()], measure, most))
      this.#removeOldest(account, measure, excess, newest);
  }

  get #newest(): number {
    const { table, number, where, values } = this.#of;
    const row = this.#db.get(`SELECT MAX(${number}) AS newest FROM ${table} WHERE ${where}`, ...values);
    return (row?.['newest'] ?? 0) as number;
  }

  #removeOldest({ owner }: EventAccount, measure: Measure, excess: number, before: number): void {
    const { table, number, where, values } = this.#of;
    let left = excess;
    for (let until = 0; left > 0;) {
      const rows = this.#db.all(
        `SELECT ${number} AS n, bytes FROM ${table}
         WHERE ${where} AND owner = ? AND ${number} > ? AND ${number} < ? ORDER BY ${number} LIMIT ?`,
        ...values,
        owner,
        until,
        before,
        Math.min(256, Math.ceil(measure === 'bytes' ? left / ROW_BYTES : left)),
      );
      if (rows.length === 0) return;
      for (const row of rows) {
        if (left <= 0) break;
        left -= measure === 'bytes' ? (row['bytes'] as number) : 1;
        until = row['n'] as number;
      }
      this.#remove(`owner = ? AND ${number} <= ?`, [owner, until]);
    }
  }

  #remove(which: string, more: readonly SqlValue[]): void {
    const { table, number, where, values } = this.#of;
    const of = `FROM ${table} WHERE ${where} AND ${which}`;
    const sums = `SELECT owner, COUNT(*) AS n, SUM(bytes) AS bytes, MAX(${number}) AS last ${of} GROUP BY +owner`;
    // The + keeps from reading an index of all rows to have those of a few in order.
    const gone = this.#db.all(sums, ...values, ...more);
    if (gone.length === 0) return;
    this.#db.run(`DELETE ${of}`, ...values, ...more);
    for (const row of gone)
      this.#change(row['owner'] as string, -(row['n'] as number), -(row['bytes'] as number));
    this.#oldest = Math.max(this.#oldest, ...gone.map((row) => (row['last'] as number) + 1));
  }

  /** What is gone from the middle shows as a row without the one before it. */
  #findOldest(): number {
    const { table, number, where, values } = this.#of;
    const row = this.#db.get(
      `SELECT ${number} AS oldest FROM ${table} AS this WHERE ${where} AND NOT EXISTS (
         SELECT 1 FROM ${table} WHERE ${where} AND ${number} = this.${number} - 1)
       ORDER BY ${number} DESC LIMIT 1`,
      ...values,
      ...values,
    );
    return (row?.['oldest'] ?? 1) as number;
  }

  #change(owner: string, records: number, bytes: number): void {
    const oldest = this.#oldest;
    this.#count(owner, records, bytes);
    this.#db.onRollback(() => {
      this.#count(owner, -records, -bytes);
      this.#oldest = oldest;
    });
  }

  #count(owner: string, records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    const before = this.#accounts.get(owner);
    const [origin] = before === undefined ? (JSON.parse(owner) as [string | null]) : [before.origin];
    const account = {
      ...{ owner, origin },
      records: (before?.records ?? 0) + records,
      bytes: (before?.bytes ?? 0) + bytes,
    };
    if (account.records > 0) this.#accounts.set(owner, account);
    else this.#accounts.delete(owner);
  }
}

/** Whose an event is, as JSON: `[node_id, kind, role, agent_id, project_id]`; `kind` for what can be without end. */
export function ownerOf(nodeId: string | null, kind: string, payload: JsonObject): string {
  if (!OF_A_SERVICE.has(kind)) return JSON.stringify([nodeId, null, null, null, null]);
  const by = (payload['by'] ?? {}) as JsonObject;
  const name = (key: string): string | null =>
    typeof by[key] === 'string' ? by[key].slice(0, MAX_NAME) : null;
  return JSON.stringify([nodeId, kind, name('role'), name('agent_id'), name('project_id')]);
}
