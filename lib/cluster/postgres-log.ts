import { createHash } from 'node:crypto';
import type { Sql } from 'postgres';
import { FsError } from '../core/index.js';
import type {
  AppendOptions,
  LogEntry,
  MemberFacts,
  MemberState,
  NewEntry,
  Position,
  Renewal,
  Renewing,
  ReplicatedLog,
  Snapshot,
  Turn,
} from './log.js';
import { appendWith, CHANNEL, lockOf, readWith } from './postgres-entries.js';
import type { LinkOptions } from './postgres-host.js';
import { PostgresLink } from './postgres-link.js';
import { beginTurn } from './postgres-turn.js';
import { checkSchema, prepareSchema } from './postgres-schema.js';

const CHUNK_BYTES = 1024 * 1024;

const RENEW = `
  WITH renewed AS (
    INSERT INTO members (id, facts, applied_seq, beat, expires_at)
    VALUES ($1, $2, $3, 1, clock_timestamp() + $4 * interval '1 millisecond')
    ON CONFLICT (id) DO UPDATE SET facts = $2, applied_seq = $3, beat = members.beat + 1, expires_at = EXCLUDED.expires_at
    RETURNING *
  ), forgotten AS (
    DELETE FROM members WHERE expires_at < clock_timestamp() AND id <> $1
      AND id IN (SELECT json_array_elements_text($6::text::json))
  ), told AS (
    SELECT pg_notify('${CHANNEL}', '') WHERE $5
  )
  SELECT h.seq AS head, h.entry_id AS head_id, m.*,
    extract(epoch FROM m.expires_at - clock_timestamp()) * 1000 AS left_ms
  FROM head h, (SELECT * FROM renewed UNION ALL SELECT * FROM members WHERE id <> $1) m
  LEFT JOIN told ON true`;

/** The log in PostgreSQL. There is no leader: whoever sees the head first moves it on, and the others see that it moved. */
export class PostgresLog implements ReplicatedLog {
  readonly engine = 'postgresql';
  readonly logId: string;
  readonly #link: PostgresLink;

  private constructor(link: PostgresLink, logId: string) {
    this.#link = link;
    this.logId = logId;
  }

  /** @throws FsError EHOSTDOWN, EACCES where it lets us not in, EINVAL for tables of a later release */
  static async open(options: LinkOptions): Promise<PostgresLog> {
    const link = new PostgresLink(options);
    try {
      const logId = await link.use((sql) => prepareSchema(sql, options.address.schema), 10_000);
      return new PostgresLog(link, logId);
    } catch (thrown) {
      await link.close();
      throw thrown;
    }
  }

  /**
   * Whether `open` would find or make its tables; writes nothing. Answers which host it would use, and which others take writes as well.
   * @throws as `open` does
   */
  static async check(
    options: LinkOptions,
    withinMs: number,
  ): Promise<{ readonly inUse: string; readonly rivals: readonly string[] }> {
    const link = new PostgresLink(options);
    try {
      await link.use((sql) => checkSchema(sql, options.address.schema), withinMs);
      return await link.rivals();
    } finally {
      await link.close();
    }
  }

  append(after: number, entry: NewEntry, { yields = false, withinMs }: AppendOptions = {}): Promise<boolean> {
    return this.#link.use(async (sql) => {
      if (await appendWith(sql, after, entry, { yields, lock: lockOf(this.logId) })) return true;
      if (yields) return false;
      const [there] = await sql.unsafe('SELECT entry_id FROM log WHERE seq = $1', [after + 1], {
        prepare: true,
      });
      if (there?.['entry_id'] !== entry.id) return false;
      // A server that crashed while it waited for its standby has it by itself. What is committed now waits for all that is before it.
      await sql.unsafe('UPDATE head SET seq = seq');
      return true;
    }, withinMs);
  }

  beginTurn(after: number, limit: number): Promise<Turn | undefined> {
    return beginTurn(this.#link, this.logId, after, limit);
  }

  read(after: number, limit: number): Promise<{ entries: LogEntry[]; head: Position }> {
    return this.#link.use((sql) => readWith(sql, after, limit));
  }

  idAt(seq: number): Promise<string | undefined> {
    return this.#link.use(async (sql) => {
      const [row] = await sql.unsafe('SELECT entry_id FROM log WHERE seq = $1', [seq], { prepare: true });
      return row?.['entry_id'] as string | undefined;
    });
  }

  follow(wake: (appended: number | null) => void): () => void {
    let wanted = true;
    this.#link.listen(CHANNEL, (said) => {
      // An earlier release says nothing of what it appended.
      if (wanted) wake(/^\d+$/.test(said) ? Number(said) : null);
    });
    return () => (wanted = false);
  }

  newestSnapshot(format: number): Promise<Snapshot | undefined> {
    return this.#link.use(async (sql) => {
      const [row] = await sql.unsafe(
        'SELECT * FROM snapshots WHERE format <= $1 ORDER BY seq DESC LIMIT 1',
        [format],
        { prepare: true },
      );
      if (row === undefined) return undefined;
      const chunks: Buffer[] = [];
      for (let n = 0; n < (row['chunks'] as number); n++) {
        const [chunk] = await sql.unsafe('SELECT data FROM snapshot_chunks WHERE seq = $1 AND n = $2', [
          row['seq'] as string,
          n,
        ]);
        chunks.push((chunk?.['data'] ?? Buffer.alloc(0)) as Buffer);
      }
      const data = Buffer.concat(chunks);
      if (!digestOf(data).equals(row['digest'] as Buffer))
        throw new FsError('EIO', `The snapshot ${row['seq'] as string} in the store is damaged.`, {
          hint: 'Restore the database from a backup, or delete the row from "snapshots": the one before it is used then.',
        });
      return {
        seq: Number(row['seq']),
        id: row['entry_id'] as string,
        format: row['format'] as number,
        data,
      };
    }, 120_000);
  }

  lastSnapshot(): Promise<(Position & { format: number }) | undefined> {
    return this.#link.use(async (sql) => {
      const [row] = await sql.unsafe('SELECT seq, entry_id, format FROM snapshots ORDER BY seq DESC LIMIT 1');
      if (row === undefined) return undefined;
      return { seq: Number(row['seq']), id: row['entry_id'] as string, format: row['format'] as number };
    });
  }

  async writeSnapshot({ seq, id, format, data }: Snapshot): Promise<void> {
    const chunks = Math.ceil(data.length / CHUNK_BYTES);
    await this.#link.use(
      (sql) =>
        sql.begin(async (tx) => {
          const added = await tx.unsafe(
            `INSERT INTO snapshots (seq, entry_id, format, chunks, digest) VALUES ($1,$2,$3,$4,$5)
             ON CONFLICT DO NOTHING RETURNING seq`,
            [seq, id, format, chunks, digestOf(data)],
          );
          for (let n = 0; added.length > 0 && n < chunks; n++)
            await tx.unsafe('INSERT INTO snapshot_chunks (seq, n, data) VALUES ($1,$2,$3)', [
              ...[seq, n],
              data.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES),
            ]);
        }) as Promise<unknown>,
      120_000,
    );
  }

  async trim(seq: number): Promise<void> {
    await this.#link.use(async (sql) => {
      await sql.unsafe('DELETE FROM log WHERE seq <= $1', [seq]);
      await sql.unsafe(
        'DELETE FROM snapshots WHERE seq < (SELECT MIN(seq) FROM (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 2) AS kept)',
      );
    }, 30_000);
  }

  renew(member: MemberFacts, { appliedSeq, leaseMs, outOfTurn, forget }: Renewing): Promise<Renewal> {
    return this.#link.use(async (sql) => {
      const values = [
        member.id,
        JSON.stringify(member),
        appliedSeq,
        leaseMs,
        outOfTurn,
        JSON.stringify(forget),
      ];
      const rows = await sql.unsafe(RENEW, values, { prepare: true });
      return {
        head: { seq: Number(rows[0]?.['head']), id: rows[0]?.['head_id'] as string },
        members: rows.map((row): MemberState => ({
          ...(JSON.parse(row['facts'] as string) as MemberFacts),
          appliedSeq: Number(row['applied_seq']),
          beat: Number(row['beat']),
          leaseLeftMs: Number(row['left_ms']),
        })),
      };
    });
  }

  async leave(memberId: string): Promise<void> {
    await this.#link.use((sql) => leaveWith(sql, memberId), 1_000);
  }

  facts(): { host: string | null; reconnects: number } {
    return this.#link.facts();
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}

function leaveWith(sql: Sql, memberId: string): Promise<unknown> {
  return sql.unsafe(
    `WITH gone AS (DELETE FROM members WHERE id = $1 RETURNING id) SELECT pg_notify('${CHANNEL}', '') FROM gone`,
    [memberId],
  );
}

const digestOf = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
