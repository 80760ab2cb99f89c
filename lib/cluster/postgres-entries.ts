import type { Row, Sql } from 'postgres';
import { FsError } from '../core/index.js';
import type { LogEntry, NewEntry, Position } from './log.js';

export const CHANNEL = 'acheron_log';

/**
 * In one round trip: the head moves on from where its writer saw it, or nothing happens. It is done in a turn: one that is under way by
 * then, or begins if nobody has one. Who does not yield ($4) does it also while somebody else has the turn.
 */
const APPEND = `
  WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock($5::bigint) OR NOT $4::boolean AS is_ours
  ), moved AS (
    UPDATE head SET seq = seq + 1, entry_id = $2 FROM turn WHERE seq = $1 AND is_ours RETURNING seq
  ), written AS (
    INSERT INTO log (seq, entry_id, entry) SELECT seq, $2, $3 FROM moved RETURNING seq
  )
  SELECT pg_notify('${CHANNEL}', seq::text) FROM written`;

const READ = `
  SELECT h.seq AS head, h.entry_id AS head_id, l.seq, l.entry_id, l.entry
  FROM head h LEFT JOIN (SELECT * FROM log WHERE seq > $1 ORDER BY seq LIMIT $2) l ON true ORDER BY l.seq`;

/** The lock of those who have a turn: a number that no other log of this database has. */
export const lockOf = (logId: string): string =>
  String(BigInt.asIntN(64, BigInt(`0x${logId.replaceAll('-', '').slice(0, 16)}`)));

/** Whether the head was where it is to be, and the turn, where one yields, was ours. */
export async function appendWith(
  sql: Sql,
  after: number,
  { id, data }: NewEntry,
  { yields, lock }: { readonly yields: boolean; readonly lock: string },
): Promise<boolean> {
  return (await sql.unsafe(APPEND, [after, id, data, yields, lock], { prepare: true })).length > 0;
}

/** @throws FsError EOVERFLOW where some of them were trimmed */
export async function readWith(
  sql: Sql,
  after: number,
  limit: number,
): Promise<{ entries: LogEntry[]; head: Position }> {
  const rows: readonly Row[] = await sql.unsafe(READ, [after, limit], { prepare: true });
  const head = { seq: Number(rows[0]?.['head']), id: rows[0]?.['head_id'] as string };
  const entries = rows
    .filter((row) => row['seq'] !== null)
    .map((row) => ({
      seq: Number(row['seq']),
      id: row['entry_id'] as string,
      data: row['entry'] as Buffer,
    }));
  const first = entries[0]?.seq;
  if (head.seq > after && first !== after + 1)
    throw new FsError('EOVERFLOW', `Entries of the log up to ${(first ?? head.seq + 1) - 1} were trimmed.`);
  return { entries, head };
}
