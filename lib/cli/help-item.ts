import type { Help, HelpConfiguration } from 'commander';

/** A longer term has its description below it. */
const MAX_TERM = 28;
/** In less there are no two columns. */
const NARROW = 60;
const INDENT = 6;

/** How help looks at a terminal: nothing is wider than that, however long the name of an option is. */
export function helpLayout(): HelpConfiguration {
  return process.stdout.isTTY ? { formatItem, minWidthToWrap: 20 } : {};
}

function formatItem(term: string, termWidth: number, description: string, helper: Help): string {
  if (description === '') return `  ${term}`;
  const width = helper.helpWidth ?? 80;
  const column = Math.min(termWidth, MAX_TERM);
  const start = width < NARROW ? INDENT : column + 4;
  const margin = `\n${' '.repeat(start)}`;
  const text = helper.boxWrap(description, width - start).replaceAll('\n', margin);
  const isBeside = width >= NARROW && helper.displayWidth(term) <= column;
  return isBeside ? `  ${term.padEnd(column)}  ${text}` : `  ${term}${margin}${text}`;
}
