import pc from 'picocolors';
import { plain } from './harmless.js';
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

/** Columns as wide as they need be, under their titles. What machines said of themselves is made harmless. */
export async function printTable(
  titles: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
): Promise<void> {
  const cells = rows.map((row) => row.map((cell) => plain(cell ?? '-')));
  const widths = titles.map((title, at) =>
    Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  await writeStyled(`${[pc.dim(line(titles)), ...cells.map(line)].join('\n')}\n`);
}

/** `k=v k=v`, or the value itself where it is no object. */
export function plainFacts(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || typeof value !== 'object') return value === undefined ? '' : JSON.stringify(value);
  return Object.entries(value)
    .map(([key, one]) => `${key}=${typeof one === 'string' ? one : JSON.stringify(one)}`)
    .join(' ');
}
