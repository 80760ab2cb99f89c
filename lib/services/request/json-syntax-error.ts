import { FsError } from '../../core/index.js';

/** How much of a long line is shown around the fault. */
const SHOWN = 120;

/**
 * A request that is not JSON, shown as a compiler would: line, column (both from 1, in characters), the
 * line itself and a caret below the fault.
 */
export function jsonSyntaxError(text: Buffer, at: number, what: string): FsError {
  const before = text.subarray(0, at);
  const lineStart = before.lastIndexOf(10) + 1;
  let line = 1;
  for (const byte of before) if (byte === 10) line++;
  const newline = text.indexOf(10, at);
  const whole = text.subarray(lineStart, newline === -1 ? text.length : newline).toString();
  const column = text.subarray(lineStart, at).toString().length;
  const from = Math.max(0, column - SHOWN / 2);
  const shown = printable(whole.slice(from, from + SHOWN));
  return new FsError(
    'EINVAL',
    `The request is not valid JSON: ${what} at line ${line}, column ${column + 1}.`,
    {
      hint: `${shown}\n${' '.repeat(column - from)}^\nWrite one JSON object, for instance the content of TEMPLATE.json.`,
    },
  );
}

/** One column per character, so that the caret stands where it should. */
function printable(line: string): string {
  // eslint-disable-next-line no-control-regex
  return line.replace(/[\u0000-\u001f\u007f]/g, '\u00b7');
}
