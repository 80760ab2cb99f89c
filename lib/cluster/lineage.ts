import type { Sql } from 'postgres';

/**
 * Which life of which cluster a server leads: a standby that is promoted begins another timeline, the old primary stays on its own. So of two
 * that both take writes, the one with the lower number is the old one.
 */
export interface Lineage {
  /** The same at a primary and all its standbys. */
  readonly system: string;
  readonly timeline: number;
}

/** What is known of the store's lineage, also from before this process. */
export interface LineageMemory {
  /** Where it is kept, for messages; undefined: nowhere. */
  readonly path?: string;
  readonly known: Lineage | undefined;
  learn(lineage: Lineage): void;
}

/** Knows what this process has seen. */
export class SeenLineage implements LineageMemory {
  known: Lineage | undefined;

  learn(lineage: Lineage): void {
    this.known = lineage;
  }
}

const LINEAGE = `SELECT system_identifier::text AS system,
  ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint AS timeline FROM pg_control_system()`;

/** Undefined where it is not known: of a standby, of another engine that speaks the protocol, or where this user may not ask. */
export async function lineageOf(sql: Sql): Promise<Lineage | undefined> {
  try {
    const [row] = await sql.unsafe(LINEAGE);
    if (typeof row?.['system'] !== 'string') return undefined;
    return { system: row['system'], timeline: Number(row['timeline']) };
  } catch (thrown) {
    // What it lacks it says: undefined function, no right, not supported, not while it recovers.
    if (/^(42|0A|55)/.test(String((thrown as { code?: unknown } | undefined)?.code))) return undefined;
    throw thrown;
  }
}

export const isSame = (one: Lineage, known: Lineage | undefined): boolean =>
  known?.system === one.system && known.timeline === one.timeline;

/** Whether `one` is an earlier life of the same cluster. */
export const isBefore = (one: Lineage, known: Lineage): boolean =>
  known.system === one.system && one.timeline < known.timeline;
