import { plain } from '../harmless.js';
import { progressText } from '../progress-line.js';
import { padded } from '../text-width.js';
import { COLUMNS, columnsFor, type Column, type JobRow, type ServiceRow } from './service-table.js';

const BOLD = '\u001b[1m';
const INVERSE = '\u001b[7m';

/** What is on the screen. */
export interface TopState {
  readonly all: readonly ServiceRow[];
  /** Those that the filter leaves, in order. */
  readonly rows: readonly ServiceRow[];
  readonly jobs: readonly JobRow[];
  /** The first row that is shown. */
  readonly first: number;
  readonly pane: 'services' | 'jobs';
  /** Which row of the pane is chosen. */
  readonly chosen: number;
  readonly column: number;
  readonly isDescending: boolean;
  readonly filter: string;
  /** The last line: what is asked, or what went wrong; else the keys. */
  readonly prompt: string | null;
}

const KEYS = 'q quit  / filter  s sort  r reverse  tab jobs  enter output  c cancel  ? help';

export const HELP: readonly string[] = [
  'acheron top: services and the calls that run, as this session sees them',
  '',
  '  up, down, page up, page down, j, k   choose a row',
  '  tab        services, or the calls that run',
  '  s, S       sort by the next, or the last, column        r   the other way round',
  '  /          filter: words of the node, service or health; enter keeps it, escape takes it back',
  '  enter      of a call: what it prints, as it comes',
  '  c          cancel a call, once you have said y',
  '  q, ctrl-c  quit',
  '',
  '/S is calls a second between two looks, a second apart. Rows that are not seen are looked at in turn.',
  '',
  'Any key goes back.',
];

/** How many services fit beside the calls that run. */
export function roomFor(jobs: number, rows: number): number {
  return Math.max(1, rows - 4 - (jobs === 0 ? 0 : Math.min(jobs, Math.floor(rows / 3)) + 1));
}

export function topLines(state: TopState, rows: number, columns: number): string[] {
  const { first, chosen, pane, jobs } = state;
  const room = roomFor(jobs.length, rows);
  const table = columnsFor(columns);
  const lines = [padded(summaryOf(state), columns), headerOf(state, columns)];
  const shown = state.rows.slice(first, first + room);
  for (const [at, row] of shown.entries()) {
    const cells = table.columns.map((column) => cellOf(plain(column.text(row)), column, table.nameWidth));
    lines.push(marked(cells.join(' '), pane === 'services' && first + at === chosen, columns));
  }
  while (lines.length < 2 + room) lines.push('');
  if (jobs.length > 0) {
    const most = Math.min(jobs.length, Math.floor(rows / 3));
    const from = pane === 'jobs' ? Math.max(0, Math.min(chosen - most + 1, jobs.length - most)) : 0;
    lines.push(`${BOLD}${padded('CALLS THAT RUN', columns)}`);
    for (const [at, job] of jobs.slice(from, from + most).entries())
      lines.push(marked(jobLine(job, columns), pane === 'jobs' && from + at === chosen, columns));
  }
  while (lines.length < rows - 1) lines.push('');
  lines.push(padded(state.prompt ?? KEYS, columns));
  return lines.slice(0, rows);
}

function summaryOf({ all, rows, jobs, filter }: TopState): string {
  const sum = (of: (row: ServiceRow) => number | null): number =>
    all.reduce((total, row) => total + (of(row) ?? 0), 0);
  const nodes = new Set(all.map(({ node }) => node)).size;
  const shown = filter === '' ? '' : `  filter "${plain(filter)}": ${rows.length}`;
  const rate = sum(({ perSecond }) => perSecond).toFixed(1);
  return `acheron top  ${nodes} nodes, ${all.length} services, ${rate} calls/s, ${jobs.length} running${shown}`;
}

function headerOf({ column, isDescending }: TopState, columns: number): string {
  const table = columnsFor(columns);
  const titles = table.columns.map((each) =>
    cellOf(
      each === COLUMNS[column] ? `${each.title}${isDescending ? 'v' : '^'}` : each.title,
      each,
      table.nameWidth,
    ),
  );
  return `${BOLD}${padded(titles.join(' '), columns)}`;
}

function cellOf(text: string, { width, isNumber }: Column, nameWidth: number): string {
  return padded(text, width === 0 ? nameWidth : width, isNumber ? 'right' : 'left');
}

/** Where there is room for all of it. */
const WIDE = 70;
const NAME_WIDTH = 24;

function jobLine({ id, service, by, progress }: JobRow, columns: number): string {
  const name = plain(`${service.node}/${service.service}`);
  const who =
    columns < WIDE
      ? `${padded(plain(service.service), Math.min(NAME_WIDTH, columns >> 1))} `
      : `${padded(name, NAME_WIDTH)} ${padded(plain(by), 10)} ${id.slice(-8)} `;
  return who + (progress === null ? '' : progressText(progress, null, columns - who.length));
}

function marked(line: string, isChosen: boolean, columns: number): string {
  return `${isChosen ? INVERSE : ''}${padded(line, columns)}`;
}
