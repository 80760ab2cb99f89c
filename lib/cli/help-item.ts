import type { Help, HelpConfiguration } from 'commander';
import { wrapped } from './wrapped.js';

/** A longer term has its description below it. */
const MAX_TERM = 28;
/** In less there are no two columns. */
const NARROW = 60;
const INDENT = 6;
/** Where no terminal says its own. */
const WIDTH = 80;
/** Lines that follow each other and are not set in. */
const PARAGRAPH = /^(?! ).+(?:\n(?! ).+)*/gm;

/** How help looks: nothing is wider than the terminal, or than 80 where it goes elsewhere, however long the name of an option is. */
export function helpLayout(): HelpConfiguration {
  return { formatItem, minWidthToWrap: 20 };
}

function formatItem(term: string, termWidth: number, description: string, helper: Help): string {
  if (description === '') return `  ${term}`;
  const width = helper.helpWidth ?? WIDTH;
  const column = Math.min(termWidth, MAX_TERM);
  const start = width < NARROW ? INDENT : column + 4;
  const margin = `\n${' '.repeat(start)}`;
  const text = helper.boxWrap(description, width - start).replaceAll('\n', margin);
  const isBeside = width >= NARROW && helper.displayWidth(term) <= column;
  return isBeside ? `  ${term.padEnd(column)}  ${text}` : `  ${term}${margin}${text}`;
}

/** The text of a help with its paragraphs as wide as the terminal, wherever their lines end in the source. */
export function fitted(text: string): string {
  const columns = process.stdout.isTTY ? process.stdout.columns : WIDTH;
  return text.replace(PARAGRAPH, (paragraph) => wrapped(paragraph.replaceAll('\n', ' '), 0, columns));
}
