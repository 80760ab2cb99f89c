import { widthOf } from './text-width.js';

/** In less, lines are left to the terminal. */
const LEAST_COLUMNS = 20;

/**
 * A text in lines that fit the terminal, broken between words, with what goes on `hang` columns further in. A word stays whole,
 * to be copied. A pipe gets it as it is.
 */
export function wrapped(text: string, hang: number, columns = terminalColumns()): string {
  if (columns < LEAST_COLUMNS || widthOf(text) <= columns) return text;
  return text
    .split('\n')
    .map((line) => wrappedLine(line, ' '.repeat(hang), columns))
    .join('\n');
}

function wrappedLine(text: string, margin: string, columns: number): string {
  const [first = '', ...words] = text.match(/\s*\S+/g) ?? [];
  const lines = [first];
  for (const word of words) {
    const longer = `${lines.at(-1) ?? ''}${word}`;
    if (widthOf(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(margin + word.trimStart());
  }
  return lines.join('\n');
}

/** Of standard output; without end where it is no terminal, or one that does not say. */
function terminalColumns(): number {
  const { isTTY, columns } = process.stdout;
  return isTTY && columns > 0 ? columns : Infinity;
}
