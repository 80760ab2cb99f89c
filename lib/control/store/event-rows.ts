import type { JsonObject } from '../../core/index.js';
import type { ControlDatabase, SqlValue } from './database.js';
import { excesses, lowWater, type Account, type Measure } from './fair-share.js';

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
  #records: number;
  #bytes: number;
  #oldest: number;

  constructor(db: ControlDatabase, of: EventTable) {
    this.#db = db;
    this.#of = of;
    const { table, where, values } = of;
    const sums = db.get(`SELECT COUNT(*) AS n, SUM(bytes) AS bytes FROM ${table} WHERE ${where}`, ...values);
    this.#records = (sums?.['n'] ?? 0) as number;
    this.#bytes = (sums?.['bytes'] ?? 0) as number;
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
  add(text: string): number {
    const bytes = Buffer.byteLength(text) + ROW_BYTES;
    this.#count(1, bytes);
    return bytes;
  }

  /** Removes what is older than that, but for the newest. */
  forgetOlderThan(timestampMs: number): void {
    const { table, number, where, values } = this.#of;
    const young = this.#db.get(
      `SELECT ${number} AS n FROM ${table} WHERE ${where} AND timestamp_ms >= ? ORDER BY ${number} LIMIT 1`,
      ...values,
      timestampMs,
    );
    this.#remove(`${number} < ?`, [(young?.['n'] ?? this.#newest) as number]);
  }

  /** Removes what is more than `most`, from those who have the most. */
  shrink(measure: Measure, most: number): void {
    const held = measure === 'bytes' ? this.#bytes : this.#records;
    if (held <= most) return;
    const newest = this.#newest;
    for (const { account, excess } of excesses(this.#accounts(), measure, lowWater(most)))
      this.#removeOldest(account, measure, excess, newest);
  }

  get #newest(): number {
    const { table, number, where, values } = this.#of;
    const row = this.#db.get(`SELECT MAX(${number}) AS newest FROM ${table} WHERE ${where}`, ...values);
    return (row?.['newest'] ?? 0) as number;
  }

  #accounts(): EventAccount[] {
    const { table, where, values } = this.#of;
    return this.#db
      .all(
        `SELECT owner, COUNT(*) AS records, SUM(bytes) AS bytes FROM ${table}
         WHERE ${where} GROUP BY owner`,
        ...values,
      )
      .map((row) => {
        const owner = row['owner'] as string;
        const [origin] = JSON.parse(owner) as [string | null];
        return { origin, owner, records: row['records'] as number, bytes: row['bytes'] as number };
      });
  }

  #removeOldest({ owner }: EventAccount, measure: Measure, excess: number, before: number): void {
    const { table, number, where, values } = this.#of;
    let left = excess;
    for (let until = 0; left > 0;) {
      const rows = this.#db.all(
        `SELECT ${number} AS n, bytes FROM ${table}
         WHERE ${where} AND owner = ? AND ${number} > ? AND ${number} < ? ORDER BY ${number} LIMIT 256`,
        ...values,
        owner,
        until,
        before,
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
    const sums = `SELECT COUNT(*) AS n, SUM(bytes) AS bytes, MAX(${number}) AS last ${of}`;
    const gone = this.#db.get(sums, ...values, ...more)!;
    if (gone['n'] === 0) return;
    this.#db.run(`DELETE ${of}`, ...values, ...more);
    this.#count(-(gone['n'] as number), -(gone['bytes'] as number));
    this.#oldest = Math.max(this.#oldest, (gone['last'] as number) + 1);
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

  #count(records: number, bytes: number): void {
    const before = { records: this.#records, bytes: this.#bytes, oldest: this.#oldest };
    this.#records += records;
    this.#bytes += bytes;
    this.#db.onRollback(() => {
      this.#records = before.records;
      this.#bytes = before.bytes;
      this.#oldest = before.oldest;
    });
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
