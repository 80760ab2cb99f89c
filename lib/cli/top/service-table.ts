import type { ShownProgress } from '../../worldfs/index.js';

/** A service, and what was read of it last; null what is not known (yet). */
export interface ServiceRow {
  readonly node: string;
  readonly service: string;
  /** Its directory. */
  readonly path: string;
  readonly health: string | null;
  readonly calls: number | null;
  readonly perSecond: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly failures: number | null;
  readonly running: number | null;
  readonly queued: number | null;
}

/** A call that runs. */
export interface JobRow {
  readonly id: string;
  readonly service: ServiceRow;
  /** Its directory. */
  readonly path: string;
  readonly by: string;
  readonly progress: ShownProgress | null;
}

export interface Column {
  readonly title: string;
  readonly width: number;
  readonly isNumber: boolean;
  readonly text: (row: ServiceRow) => string;
  readonly key: (row: ServiceRow) => string | number;
}

const numbers = (
  title: string,
  width: number,
  of: (row: ServiceRow) => number | null,
  digits = 0,
): Column => ({
  title,
  width,
  isNumber: true,
  text: (row) => of(row)?.toFixed(digits) ?? '-',
  key: (row) => of(row) ?? -1,
});
const words = (title: string, width: number, of: (row: ServiceRow) => string | null): Column => ({
  title,
  width,
  isNumber: false,
  text: (row) => of(row) ?? '-',
  key: (row) => of(row) ?? '',
});

/** Width 0: what is left. */
export const COLUMNS: readonly Column[] = [
  words('SERVICE', 0, ({ service }) => service),
  words('NODE', 12, ({ node }) => node),
  words('HEALTH', 9, ({ health }) => health),
  numbers('CALLS', 9, ({ calls }) => calls),
  numbers('/S', 7, ({ perSecond }) => perSecond, 1),
  numbers('P50ms', 8, ({ p50 }) => p50),
  numbers('P95ms', 8, ({ p95 }) => p95),
  numbers('FAILED', 7, ({ failures }) => failures),
  numbers('RUN', 4, ({ running }) => running),
  numbers('QUEUE', 5, ({ queued }) => queued),
];

/** Of a service's name at least so much is shown. */
const LEAST_NAME = 12;
/** What is left out first where a terminal is narrow. */
const GIVE_WAY = ['QUEUE', 'P50ms', 'NODE', 'CALLS', 'P95ms', 'RUN', 'HEALTH'];

/** The columns for which a terminal has room, and how much of it is left for names. */
export function columnsFor(room: number): {
  readonly columns: readonly Column[];
  readonly nameWidth: number;
} {
  const left = (columns: readonly Column[]): number =>
    columns.reduce((rest, { width }) => rest - width - 1, room + 1);
  let columns = COLUMNS;
  for (const title of GIVE_WAY) {
    if (left(columns) >= LEAST_NAME) break;
    columns = columns.filter((column) => column.title !== title);
  }
  return { columns, nameWidth: Math.max(LEAST_NAME, left(columns)) };
}

/** Those with all words of `filter` in their names or health, in the order of a column. */
export function arranged(
  rows: readonly ServiceRow[],
  { filter, column, isDescending }: { filter: string; column: number; isDescending: boolean },
): ServiceRow[] {
  const asked = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ node, service, health }: ServiceRow): boolean => {
    const text = `${node}/${service} ${health ?? ''}`.toLowerCase();
    return asked.every((word) => text.includes(word));
  };
  const key = (COLUMNS[column] ?? COLUMNS[0])?.key ?? (() => 0);
  const sign = isDescending ? -1 : 1;
  return rows
    .filter(fits)
    .map((row) => ({ row, by: key(row) }))
    .sort((a, b) => (a.by < b.by ? -sign : a.by > b.by ? sign : a.row.path < b.row.path ? -1 : 1))
    .map(({ row }) => row);
}
