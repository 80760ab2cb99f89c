import pc from 'picocolors';
import { plain } from './harmless.js';
import { padded, widthOf } from './text-width.js';
import { writeError, writeOut, writeStyled } from './write-out.js';

export { plain } from './harmless.js';

export async function printJson(value: unknown): Promise<void> {
  await writeOut(`${JSON.stringify(value, null, 2)}\n`);
}

/** One document a line, for streams. */
export async function printJsonLine(value: unknown): Promise<void> {
  await writeOut(`${JSON.stringify(value)}\n`);
}

export async function printLine(text: string): Promise<void> {
  await writeOut(`${text}\n`);
}

/** What a person should know, and a pipe should not get. */
export function printNote(text: string): void {
  writeError(`${text}\n`);
}

/** What stands for what is not known. */
const NOTHING = '-';
/** Between two columns of a table. */
const GAP = '  ';
/** A column is not made narrower than that: it would say nothing any more. */
const LEAST_WIDTH = 8;

/**
 * The widths of columns that fit into a line of `columns`: the widest ones give, to a point. The first, by which a row is
 * named, stays whole.
 */
export function fittedWidths(wanted: readonly number[], columns: number): number[] {
  const [first = 0, ...widths] = wanted;
  const room = columns - GAP.length * widths.length - first;
  for (let over = widths.reduce((sum, width) => sum + width, 0) - room; over > 0; over--) {
    const widest = Math.max(...widths);
    if (widest <= LEAST_WIDTH) break;
    // Of several the last, which says the least of what a row is about.
    widths[widths.lastIndexOf(widest)] = widest - 1;
  }
  return wanted.length === 0 ? [] : [first, ...widths];
}

/**
 * Columns as wide as they need be, under their titles; on a terminal so that a row fits on a line, and where it cannot, a line for
 * each value. What machines said of themselves is made harmless.
 */
export async function printTable(
  titles: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
): Promise<void> {
  const cells = rows.map((row) => row.map((cell) => plain(cell ?? NOTHING)));
  const columns = process.stdout.isTTY ? process.stdout.columns : Infinity;
  const widths = fittedWidths(
    titles.map((title, at) => Math.max(widthOf(title), ...cells.map((row) => widthOf(row[at] ?? '')))),
    columns,
  );
  const isNarrow = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) > columns;
  const lines = isNarrow && rows.length > 0 ? recordLines(titles, cells) : tableLines(titles, cells, widths);
  await writeStyled(`${lines.join('\n')}\n`);
}

function tableLines(
  titles: readonly string[],
  cells: readonly (readonly string[])[],
  widths: readonly number[],
): string[] {
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => padded(cell, widths[at] ?? 0))
      .join(GAP)
      .trimEnd();
  return [pc.dim(line(titles)), ...cells.map(line)];
}

/** A block for each row; what is not known of it is left out. */
function recordLines(titles: readonly string[], cells: readonly (readonly string[])[]): string[] {
  const width = Math.max(...titles.map(widthOf));
  const block = (row: readonly string[]): string =>
    row
      .flatMap((cell, at) =>
        cell === NOTHING || cell === '' ? [] : `${pc.dim(padded(titles[at] ?? '', width))}${GAP}${cell}`,
      )
      .join('\n');
  return [cells.map(block).join('\n\n')];
}

/** `k=v k=v`, or the value itself where it is no object. */
export function plainFacts(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || typeof value !== 'object') return value === undefined ? '' : JSON.stringify(value);
  return Object.entries(value)
    .map(([key, one]) => `${key}=${typeof one === 'string' ? one : JSON.stringify(one)}`)
    .join(' ');
}
