import { FsError, type Clock } from '../../../core/index.js';
import { MAX_REPORT_CHARS, RELOAD_OUTCOMES, type WireReloadReport } from '../../../protocol/index.js';
import type { ControlDatabase, Row, SqlValue } from '../database.js';
import type { EventLog } from '../events.js';
import { excesses, lowWater } from '../fair-share.js';
import type { AppliedRows, Derived } from '../replica/row-changes.js';
import { BytesByNode } from './bytes-by-node.js';

/** Reports of one node that are kept. */
export const KEPT_RELOADS = 64;
/** Of all nodes together; shared fairly. */
const MAX_BYTES = 128 * 1024 * 1024;
const ROW_BYTES = 96;
/** Services that a line of the list names. */
const MAX_NAMED = 64;

/** A report as it is kept. */
export interface KeptReload {
  readonly nodeId: string;
  /** Counts the reports of its node, from 1. */
  readonly n: number;
  /** When it came; among those of all nodes. */
  readonly order: number;
  readonly report: WireReloadReport;
}

/** What nodes said of their reloads of manifests: the newest of each, as long as the node is known. */
export class ReloadReports implements Derived {
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #events: EventLog;
  readonly #maxBytes: number;
  readonly #bytes: BytesByNode;

  constructor(db: ControlDatabase, clock: Clock, events: EventLog, maxBytes = MAX_BYTES) {
    this.#db = db;
    this.#clock = clock;
    this.#events = events;
    this.#maxBytes = maxBytes;
    this.#bytes = new BytesByNode(
      db,
      'SELECT node_id, SUM(bytes) AS bytes FROM reload_reports GROUP BY node_id',
    );
    events.appending.on(({ kind, nodeId }) => {
      if (kind === 'node_deleted' && nodeId !== null) this.#remove('node_id = ?', nodeId);
    });
  }

  applied(rows: AppliedRows): void {
    for (const { before, row } of rows.of('reload_reports')) {
      if (row !== null) this.#bytes.add(row['node_id'] as string, row['bytes'] as number);
      if (before !== undefined) this.#bytes.add(before['node_id'] as string, -(before['bytes'] as number));
    }
  }

  get bytes(): number {
    return this.#bytes.total;
  }

  /** False where it is there already. Only inside a change. @throws FsError E2BIG */
  add(nodeId: string, report: WireReloadReport): boolean {
    const known = 'SELECT 1 AS known FROM reload_reports WHERE node_id = ? AND report_id = ?';
    if (this.#db.get(known, nodeId, report.report_id) !== undefined) return false;
    const text = JSON.stringify(report);
    if (text.length > MAX_REPORT_CHARS)
      throw new FsError('E2BIG', `A report has at most ${MAX_REPORT_CHARS} characters of JSON.`);
    const last = this.#db.get('SELECT MAX(n) AS n FROM reload_reports WHERE node_id = ?', nodeId);
    const n = ((last?.['n'] ?? 0) as number) + 1;
    const bytes = Buffer.byteLength(text) + ROW_BYTES;
    this.#db.run(
      'INSERT INTO reload_reports (node_id, n, report_id, timestamp_ms, report, bytes) VALUES (?,?,?,?,?,?)',
      ...[nodeId, n, report.report_id, this.#clock.now(), text, bytes],
    );
    this.#bytes.add(nodeId, bytes);
    this.#remove('node_id = ? AND n <= ?', nodeId, n - KEPT_RELOADS);
    this.#shrink();
    const { outcomes, faults } = summaryOf(report);
    this.#events.append('node_reload_report', nodeId, { n, outcomes, faults });
    return true;
  }

  /** The numbers of the reports of a node, oldest first, and when they came. */
  numbers(nodeId: string): { readonly n: number; readonly timestampMs: number }[] {
    return this.#db
      .all('SELECT n, timestamp_ms FROM reload_reports WHERE node_id = ? ORDER BY n', nodeId)
      .map((row) => ({ n: row['n'] as number, timestampMs: row['timestamp_ms'] as number }));
  }

  get(nodeId: string, n?: number): KeptReload | undefined {
    const row =
      n === undefined
        ? this.#db.get('SELECT * FROM reload_reports WHERE node_id = ? ORDER BY n DESC LIMIT 1', nodeId)
        : this.#db.get('SELECT * FROM reload_reports WHERE node_id = ? AND n = ?', nodeId, n);
    return row && keptFromRow(row);
  }

  /** Up to `limit` that came before, newest first; of one node, or of all. */
  before(order: number, limit: number, nodeId: string | null = null): KeptReload[] {
    const of = nodeId === null ? [] : [nodeId];
    return this.#db
      .all(
        `SELECT * FROM reload_reports WHERE report_order < ?${nodeId === null ? '' : ' AND node_id = ?'}
         ORDER BY report_order DESC LIMIT ?`,
        ...[order, ...of, limit],
      )
      .map(keptFromRow);
  }

  #shrink(): void {
    if (this.#bytes.total <= this.#maxBytes) return;
    for (const { account, excess } of excesses(this.#bytes.accounts(), 'bytes', lowWater(this.#maxBytes))) {
      const aim = account.bytes - excess;
      for (const { n } of this.numbers(account.origin).slice(0, -1)) {
        if (this.#bytes.of(account.origin) <= aim) break;
        this.#remove('node_id = ? AND n = ?', account.origin, n);
      }
    }
  }

  #remove(which: string, ...values: SqlValue[]): void {
    const gone = this.#db.all(`SELECT node_id, bytes FROM reload_reports WHERE ${which}`, ...values);
    if (gone.length === 0) return;
    this.#db.run(`DELETE FROM reload_reports WHERE ${which}`, ...values);
    for (const row of gone) this.#bytes.add(row['node_id'] as string, -(row['bytes'] as number));
  }
}

function keptFromRow(row: Row): KeptReload {
  return {
    nodeId: row['node_id'] as string,
    n: row['n'] as number,
    order: row['report_order'] as number,
    report: JSON.parse(row['report'] as string) as WireReloadReport,
  };
}

/** What a line says of a report. Pure. */
export function summaryOf({ files }: WireReloadReport): {
  readonly outcomes: Record<string, number>;
  readonly faults: number;
  readonly services: string[];
} {
  const outcomes: Record<string, number> = {};
  for (const outcome of RELOAD_OUTCOMES) {
    const amount = files.filter((file) => file.outcome === outcome).length;
    if (amount > 0) outcomes[outcome] = amount;
  }
  const concerned = files.filter(({ outcome }) => outcome !== 'unchanged' && outcome !== 'kept');
  return {
    outcomes,
    faults: files.reduce((sum, file) => sum + file.faults.length, 0),
    services: [...new Set(concerned.flatMap(({ services }) => services))].slice(0, MAX_NAMED),
  };
}
