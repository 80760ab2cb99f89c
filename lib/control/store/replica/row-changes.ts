import type { Row, SqlValue } from '../rows.js';

/** A row as an entry of the log leaves it: all of its columns that the writer knows, or null where it is gone. */
export interface RowChange {
  readonly table: string;
  /** In the order of the key's columns. */
  readonly key: readonly SqlValue[];
  readonly row: Row | null;
}

/** The same once it was written here, with what was there before. */
export interface AppliedChange extends RowChange {
  readonly before: Row | undefined;
}

/**
 * The tables whose rows are in the log, with the columns of their keys, in the order in which they refer to each other. What is not
 * here is a replica's own.
 */
export const REPLICATED: ReadonlyMap<string, readonly string[]> = new Map([
  ['meta', ['key']],
  ['tokens', ['token_id']],
  ['projects', ['project_id']],
  ['sessions', ['session_id']],
  ['console_links', ['hash']],
  ['nodes', ['node_id']],
  ['services', ['node_id', 'service_id']],
  ['invites', ['invite_id']],
  ['join_requests', ['request_id']],
  ['events', ['revision']],
  ['views', ['view_id']],
  ['view_events', ['view_id', 'seq']],
  ['audit_owners', ['origin', 'owner']],
  ['audit', ['audit_id']],
  ['version_texts', ['text_id']],
  ['service_changes', ['node_id', 'service_id', 'revision']],
  ['reload_reports', ['report_order']],
]);

export const keysOf = (table: string): readonly string[] | undefined => REPLICATED.get(table);

/** What one entry did, by table; a table that it did not touch has none. */
export class AppliedRows {
  readonly #byTable = new Map<string, AppliedChange[]>();

  add(change: AppliedChange): void {
    const own = this.#byTable.get(change.table);
    if (own === undefined) this.#byTable.set(change.table, [change]);
    else own.push(change);
  }

  of(table: string): readonly AppliedChange[] {
    return this.#byTable.get(table) ?? [];
  }
}

/** The changes by the number that their keys begin with, in their order. */
export function byFirstKey(changes: readonly AppliedChange[]): Map<number, AppliedChange[]> {
  const byKey = new Map<number, AppliedChange[]>();
  for (const change of changes) {
    const first = change.key[0] as number;
    const own = byKey.get(first);
    if (own === undefined) byKey.set(first, [change]);
    else own.push(change);
  }
  return byKey;
}

/** What is derived from rows and kept in memory. */
export interface Derived {
  /** Within the transaction that wrote them: brings what is in memory up to them. Who is to be notified is so after it. */
  applied(rows: AppliedRows): void;
}
