import type { Row } from './bench.js';

/** The rows as text: one column per contender, each with its ratio to the row's baseline. */
export function tableFromRows(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.values)))];
  const aims = rows.some((row) => row.aim !== undefined);
  const head = ['', 'unit', ...names, ...(aims ? ['aim'] : [])];
  const lines = [head];
  for (const row of rows)
    lines.push([
      row.what,
      row.unit,
      ...names.map((name) => cell(row, name)),
      ...(aims ? [row.aim ?? ''] : []),
    ]);
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line, at) => {
      const text = line
        .map((word, column) =>
          column === 0 ? word.padEnd(widths[column] ?? 0) : word.padStart(widths[column] ?? 0),
        )
        .join('  ');
      return at === 0 ? `${text}\n${'-'.repeat(text.length)}` : text;
    })
    .join('\n');
}

/** The ratio is the contender's share of the baseline's speed, or its multiple of the baseline's time. */
function cell(row: Row, name: string): string {
  if (!Object.hasOwn(row.values, name)) return '';
  const value = row.values[name];
  if (value === null || value === undefined) return '-';
  const base = row.baseline === undefined ? undefined : row.values[row.baseline];
  if (typeof base !== 'number' || name === row.baseline) return figure(value);
  return `${figure(value)} (${(value / base).toFixed(2)}x)`;
}

function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}
