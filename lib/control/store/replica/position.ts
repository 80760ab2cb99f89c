import type { Position } from '../../../cluster/index.js';
import type { Rows } from '../rows.js';

/** How far a copy has followed which log. It is changed with the rows themselves, so that both are always as of one entry. */
const TABLE = `CREATE TABLE IF NOT EXISTS log_position (
  one INTEGER PRIMARY KEY CHECK (one = 1), log_id TEXT NOT NULL, seq INTEGER NOT NULL, entry_id TEXT NOT NULL
) STRICT`;

/** Undefined where it is a copy of another log, or of none yet. */
export function positionIn(db: Rows, logId: string): Position | undefined {
  db.execute(TABLE);
  const row = db.get('SELECT * FROM log_position');
  if (row === undefined || row['log_id'] !== logId) return undefined;
  return { seq: row['seq'] as number, id: row['entry_id'] as string };
}

/** Within the transaction that brings the rows there. */
export function savePosition(db: Rows, logId: string, { seq, id }: Position): void {
  db.run(
    `INSERT INTO log_position VALUES (1,?,?,?) ON CONFLICT (one) DO UPDATE SET log_id = excluded.log_id, seq = excluded.seq,
     entry_id = excluded.entry_id`,
    ...[logId, seq, id],
  );
}
