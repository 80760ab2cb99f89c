import type { Row, Rows, SqlValue } from '../rows.js';
import { REPLICATED, type RowChange } from './row-changes.js';

/**
 * Notes which rows a transaction touches, by triggers that this connection alone has. A store without replicas has none of them, and
 * pays nothing.
 */
export class RowCapture {
  readonly #db: Rows;
  #isWanted = false;

  constructor(db: Rows) {
    this.#db = db;
    db.execute(
      'CREATE TEMP TABLE touched (name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID',
    );
    db.execute('CREATE TEMP TABLE capture (wanted INTEGER NOT NULL)');
    db.execute('INSERT INTO capture VALUES (0)');
    for (const [table, columns] of REPLICATED)
      for (const act of ['INSERT', 'UPDATE', 'DELETE']) {
        const which = act === 'DELETE' ? 'OLD' : 'NEW';
        const key = `json_array(${columns.map((column) => `${which}.${column}`).join(', ')})`;
        db.execute(
          `CREATE TEMP TRIGGER touched_${table}_${act} AFTER ${act} ON main.${table} WHEN (SELECT wanted FROM capture)
           BEGIN INSERT OR IGNORE INTO touched VALUES ('${table}', ${key}); END`,
        );
      }
  }

  /** From now on within the transaction under way; with it, this ends. */
  begin(): void {
    this.#db.run('UPDATE temp.capture SET wanted = 1');
    this.#isWanted = true;
  }

  /** What the rows are that were touched, as they are now. */
  end(): RowChange[] {
    if (!this.#isWanted) throw new TypeError('Nothing was captured.');
    this.#isWanted = false;
    const touched = new Map<string, SqlValue[][]>();
    for (const { name, key } of this.#db.all('SELECT name, key FROM temp.touched')) {
      const keys = touched.get(name as string) ?? [];
      touched.set(name as string, keys);
      keys.push(JSON.parse(key as string) as SqlValue[]);
    }
    this.#db.run('DELETE FROM temp.touched');
    this.#db.run('UPDATE temp.capture SET wanted = 0');
    return [...REPLICATED].flatMap(([table, columns]) => {
      const where = columns.map((column) => `${column} = ?`).join(' AND ');
      return (touched.get(table) ?? []).map((key): RowChange => {
        const row = this.#db.get(`SELECT * FROM ${table} WHERE ${where}`, ...key);
        return { table, key, row: row === undefined ? null : columnsOf(row) };
      });
    });
  }
}

/** The database adds how long it took. */
function columnsOf({ _metadata, ...columns }: Row): Row {
  return columns;
}
