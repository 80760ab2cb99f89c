import type { Sql } from 'postgres';
import type { NewEntry, Turn } from './log.js';
import { appendWith, lockOf, readWith } from './postgres-entries.js';
import type { PostgresLink } from './postgres-link.js';

/** Whoever has the turn and says nothing for so long loses it: it was stopped, or is cut off. */
const SILENT_MS = 1_000;
/** Longer than that: who waits behind such a one gets the turn after it. */
const WAIT_MS = 1_300;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * A turn is a transaction that holds a lock which only turns take; PostgreSQL gives it to those who wait in the order in which they came.
 * The lock gives no right: an entry is appended by compare and set with it or without. So one that is stopped while it has the turn, or a
 * connection that is lost, costs the others a moment, and nothing more.
 */
export async function beginTurn(
  link: PostgresLink,
  logId: string,
  after: number,
  limit: number,
): Promise<Turn | undefined> {
  const lock = lockOf(logId);
  const begun = await link.useWriter(async (writer) => {
    // Sent at once, done in this order. What is read is as of when the turn has come, since each statement sees what was committed before.
    const turn = writer
      .unsafe(
        `BEGIN; SET LOCAL lock_timeout = ${WAIT_MS}; SET LOCAL idle_in_transaction_session_timeout = ${SILENT_MS};
         SELECT pg_advisory_xact_lock(${lock})`,
      )
      .execute();
    const [locked, read] = await Promise.allSettled([turn, readWith(writer, after, limit)]);
    if (locked.status === 'fulfilled' && read.status === 'fulfilled') return read.value;
    await writer.unsafe('ROLLBACK');
    const why: unknown =
      locked.status === 'rejected' ? locked.reason : (read as PromiseRejectedResult).reason;
    if ((why as { code?: unknown } | undefined)?.code === LOCK_NOT_AVAILABLE) return undefined;
    throw why;
  });
  if (begun === undefined) return undefined;
  let isOver = false;
  return {
    ...begun,
    append: (from, entry) => {
      isOver = true;
      return link.useWriter((writer) => appendAndCommit(writer, from, entry, lock));
    },
    end: async () => {
      if (isOver) return;
      isOver = true;
      await link.useWriter((writer) => writer.unsafe('ROLLBACK'));
    },
  };
}

/** A session that was ended meanwhile has no transaction: what is appended then is so by itself, which is as good. */
async function appendAndCommit(writer: Sql, after: number, entry: NewEntry, lock: string): Promise<boolean> {
  const [appended, committed] = await Promise.allSettled([
    appendWith(writer, after, entry, { yields: true, lock }),
    writer.unsafe('COMMIT'),
  ]);
  if (appended.status === 'rejected') throw appended.reason;
  if (committed.status === 'rejected') throw committed.reason;
  return appended.value;
}
