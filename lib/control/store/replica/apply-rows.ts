import type { Row, Rows } from '../rows.js';
import { AppliedRows, REPLICATED, type RowChange } from './row-changes.js';

/** Tables whose rows before are of no interest to anybody: they are many, or never change. */
const BEFORE_IS_UNUSED = new Set(['services', 'audit', 'version_texts', 'invites', 'join_requests']);

/**
 * Writes rows as an entry of the log has them, within a transaction. A column that the writer did not know stays as it is, one that we
 * do not know is left out, and so is a table.
 */
export function applyRows(db: Rows, changes: readonly RowChange[]): AppliedRows {
  const applied = new AppliedRows();
  // They refer to each other; what matters is how they are in the end.
  db.execute('PRAGMA defer_foreign_keys=ON');
  const known = changes.filter(({ table }) => REPLICATED.has(table));
  const before = known.map(({ table, key }): Row | undefined =>
    BEFORE_IS_UNUSED.has(table)
      ? undefined
      : db.get(`SELECT * FROM ${table} WHERE ${whereKey(table)}`, ...key),
  );
  // What goes makes room: another row may have what is unique.
  letAuditGo(db, known);
  for (const { table, key, row } of known)
    if (row === null) db.run(`DELETE FROM ${table} WHERE ${whereKey(table)}`, ...key);
  for (const { table, row } of known) if (row !== null) upsert(db, table, row);
  for (const [at, change] of known.entries()) applied.add({ ...change, before: before[at] });
  return applied;
}

function upsert(db: Rows, table: string, row: Row): void {
  const ours = columnsOf(db, table);
  const columns = Object.keys(row).filter((column) => ours.has(column));
  const keys = REPLICATED.get(table) ?? [];
  const rest = columns.filter((column) => !keys.includes(column));
  const update =
    rest.length === 0
      ? 'NOTHING'
      : `UPDATE SET ${rest.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  // An audit record is never changed: a second one under its number would be a mistake that is to be seen.
  const conflict = table === 'audit' ? '' : `ON CONFLICT (${keys.join(', ')}) DO ${update}`;
  db.run(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')}) ${conflict}`,
    ...columns.map((column) => row[column] ?? null),
  );
}

/** The database lets go of audit records that a sweep names, and of nothing else. */
function letAuditGo(db: Rows, changes: readonly RowChange[]): void {
  const gone = changes.filter(({ table, row }) => table === 'audit' && row === null).map(({ key }) => key[0]);
  if (gone.length === 0) return;
  db.run(
    `INSERT INTO audit_sweep SELECT origin, owner, MAX(audit_id) FROM audit
     WHERE audit_id IN (SELECT value FROM json_each(?)) GROUP BY origin, owner`,
    JSON.stringify(gone),
  );
  db.run('DELETE FROM audit WHERE audit_id IN (SELECT value FROM json_each(?))', JSON.stringify(gone));
  db.run('DELETE FROM audit_sweep');
}

const columns = new WeakMap<Rows, Map<string, ReadonlySet<string>>>();

function columnsOf(db: Rows, table: string): ReadonlySet<string> {
  let known = columns.get(db);
  if (known === undefined) columns.set(db, (known = new Map<string, ReadonlySet<string>>()));
  let own = known.get(table);
  if (own === undefined) {
    own = new Set(db.all('SELECT name FROM pragma_table_info(?)', table).map(({ name }) => name as string));
    known.set(table, own);
  }
  return own;
}

const whereKey = (table: string): string =>
  (REPLICATED.get(table) ?? []).map((column) => `${column} = ?`).join(' AND ');
