import type { Sql } from 'postgres';
import { randomUUID } from 'node:crypto';
import { FsError } from '../core/index.js';

/** Of our tables in PostgreSQL. */
const FORMAT = 1;
/** Of the lock under which they are made; any number that nobody else uses. */
const LOCK = 7_236_410_557;

const TABLES = `
  CREATE TABLE IF NOT EXISTS head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), format int NOT NULL, log_id text NOT NULL, seq bigint NOT NULL,
    entry_id text NOT NULL
  );
  CREATE TABLE IF NOT EXISTS log (
    seq bigint PRIMARY KEY, entry_id text NOT NULL, written_at timestamptz NOT NULL DEFAULT clock_timestamp(), entry bytea NOT NULL
  );
  ALTER TABLE log ALTER COLUMN entry SET STORAGE EXTERNAL;
  CREATE TABLE IF NOT EXISTS snapshots (
    seq bigint PRIMARY KEY, entry_id text NOT NULL, format int NOT NULL, chunks int NOT NULL, digest bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE TABLE IF NOT EXISTS snapshot_chunks (
    seq bigint NOT NULL REFERENCES snapshots (seq) ON DELETE CASCADE, n int NOT NULL, data bytea NOT NULL, PRIMARY KEY (seq, n)
  );
  CREATE TABLE IF NOT EXISTS members (
    id text PRIMARY KEY, facts text NOT NULL, applied_seq bigint NOT NULL, beat bigint NOT NULL, expires_at timestamptz NOT NULL
  );
`;

/** Makes our tables where they are not there yet, once, whoever comes first; answers which log it is. */
export async function prepareSchema(sql: Sql, schema: string): Promise<string> {
  const name = `"${schema}"`;
  if (!(await hasTables(sql, name)))
    await sql.begin(async (tx) => {
      await tx.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`);
      await tx.unsafe(`CREATE SCHEMA IF NOT EXISTS ${name}`);
      await tx.unsafe(`SET LOCAL search_path TO ${name}`);
      await tx.unsafe(TABLES);
      await tx.unsafe(
        `INSERT INTO head (format, log_id, seq, entry_id) VALUES (${FORMAT}, $1, 0, '') ON CONFLICT DO NOTHING`,
        [randomUUID()],
      );
    });
  return logIdIn(sql, schema);
}

/**
 * Whether our tables are there and can be read, or can be made, by this user; makes none.
 * @throws FsError EINVAL for tables of a later release, EACCES where they are not there and may not be made
 */
export async function checkSchema(sql: Sql, schema: string): Promise<void> {
  const name = `"${schema}"`;
  if (await hasTables(sql, name)) {
    await logIdIn(sql, schema);
    return;
  }
  const [may] = await sql.unsafe(
    `SELECT coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'CREATE'), has_database_privilege(current_database(), 'CREATE')) AS make,
      current_user AS who, current_database() AS db`,
    [name],
  );
  if (may?.['make'] === true) return;
  const who = String(may?.['who']);
  throw new FsError('EACCES', `The user "${who}" may not make tables there.`, {
    hint: `As the owner of the database: GRANT CREATE ON DATABASE "${String(may?.['db'])}" TO "${who}"; or name a schema of its own with ?schema=.`,
  });
}

async function hasTables(sql: Sql, name: string): Promise<boolean> {
  const [found] = await sql.unsafe(`SELECT to_regclass($1) IS NOT NULL AS known`, [`${name}.head`]);
  return found?.['known'] === true;
}

/** Which log it is. */
async function logIdIn(sql: Sql, schema: string): Promise<string> {
  const [head] = await sql.unsafe(`SELECT format, log_id FROM "${schema}".head`);
  const format = head?.['format'] as number | undefined;
  if (format !== undefined && format > FORMAT)
    throw new FsError('EINVAL', `The store has format ${format}; this release reads up to ${FORMAT}.`, {
      hint: 'Use a later release of Acheron here. The store was left as it is.',
    });
  if (format === undefined)
    throw new FsError('EIO', `The schema "${schema}" has tables of ours without their head.`, {
      hint: 'Restore it from a backup, or name another with ?schema=.',
    });
  return head?.['log_id'] as string;
}
