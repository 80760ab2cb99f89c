import type { JsonObject, JsonValue } from '../../core/index.js';
import type { ControlDatabase } from './database.js';
import type { Account } from './fair-share.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';

/** Owners of one origin that have accounts of their own; a node that invents more does so in one account. */
const MAX_OWNERS_OF_AN_ORIGIN = 1024;
const OTHERS = '"others"';
/** What a row takes beside its text. */
const ROW_BYTES = 128;

/** Whose records they are: of one origin, one principal, its denials apart from its acts. */
export interface AuditOwner extends Account {
  readonly origin: string;
  /** JSON: `[role, agent_id, project_id, whether they were denials]`. */
  readonly owner: string;
}

/** How much of the audit log is whose. */
export class AuditOwners implements Derived {
  readonly #db: ControlDatabase;
  #records: number;
  #bytes: number;

  constructor(db: ControlDatabase) {
    this.#db = db;
    const sums = db.get('SELECT SUM(records) AS records, SUM(bytes) AS bytes FROM audit_owners');
    this.#records = (sums?.['records'] ?? 0) as number;
    this.#bytes = (sums?.['bytes'] ?? 0) as number;
  }

  applied(rows: AppliedRows): void {
    for (const { before, row } of rows.of('audit_owners')) {
      const more = (column: 'records' | 'bytes'): number =>
        ((row?.[column] ?? 0) as number) - ((before?.[column] ?? 0) as number);
      this.#count(more('records'), more('bytes'));
    }
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get all(): AuditOwner[] {
    return this.#db.all('SELECT * FROM audit_owners').map((row) => ({
      origin: row['origin'] as string,
      owner: row['owner'] as string,
      records: row['records'] as number,
      bytes: row['bytes'] as number,
    }));
  }

  /** Counts records, and answers under whose name and size each is to be written. */
  add<Entry extends { readonly record: JsonObject & { readonly origin: string }; readonly text: string }>(
    entries: readonly Entry[],
  ): (Entry & { readonly owner: string; readonly bytes: number })[] {
    const accounts = new Map<string, AuditOwner>();
    const counted = entries.map((entry) => {
      const { origin } = entry.record;
      const name = ownerOf(entry.record);
      const key = JSON.stringify([origin, name]);
      const before = accounts.get(key);
      const owner = before?.owner ?? this.#accountOf(origin, name);
      const bytes = Buffer.byteLength(entry.text) + ROW_BYTES;
      const sums = { records: (before?.records ?? 0) + 1, bytes: (before?.bytes ?? 0) + bytes };
      accounts.set(key, { origin, owner, ...sums });
      return { ...entry, owner, bytes };
    });
    for (const { origin, owner, records, bytes } of accounts.values()) {
      this.#count(records, bytes);
      this.#db.run(
        'UPDATE audit_owners SET records = records + ?, bytes = bytes + ? WHERE origin = ? AND owner = ?',
        records,
        bytes,
        origin,
        owner,
      );
    }
    return counted;
  }

  remove({ origin, owner }: AuditOwner, records: number, bytes: number): void {
    this.#count(-records, -bytes);
    const where = 'WHERE origin = ? AND owner = ?';
    this.#db.run(
      `UPDATE audit_owners SET records = records - ?, bytes = bytes - ? ${where}`,
      records,
      bytes,
      origin,
      owner,
    );
    this.#db.run(`DELETE FROM audit_owners ${where} AND records <= 0`, origin, owner);
  }

  #count(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    this.#db.onRollback(() => {
      this.#records -= records;
      this.#bytes -= bytes;
    });
  }

  /** The account, which is there then. */
  #accountOf(origin: string, owner: string): string {
    const known = this.#db.get('SELECT 1 FROM audit_owners WHERE origin = ? AND owner = ?', origin, owner);
    if (known !== undefined) return owner;
    const row = this.#db.require('SELECT COUNT(*) AS count FROM audit_owners WHERE origin = ?', origin);
    const name = (row['count'] as number) < MAX_OWNERS_OF_AN_ORIGIN ? owner : OTHERS;
    this.#db.run(
      'INSERT INTO audit_owners (origin, owner, records, bytes) VALUES (?,?,0,0) ON CONFLICT DO NOTHING',
      origin,
      name,
    );
    return name;
  }
}

function ownerOf({ role, agent_id, project_id, outcome }: JsonObject): string {
  const name = (value: JsonValue | undefined): string | null =>
    typeof value === 'string' ? value.slice(0, 128) : null;
  return JSON.stringify([name(role), name(agent_id), name(project_id), outcome === 'denied']);
}
