import { FsError } from './fs-error.js';

/** How deep requests and results may be nested. */
export const MAX_JSON_DEPTH = 512;
/** Indented text may be so many times as long, and so much longer. */
const MAX_GROWTH = 8;
const FREE_GROWTH = 4096;

/**
 * Re-indents JSON text by two spaces without reading its values, so that numbers beyond a double and
 * unusual escapes stay as they were written. `text` must be valid JSON. Ends in a newline. Text that would
 * grow out of proportion, as much of it is nested deeply, stays as it is.
 * @throws FsError EIO where it is nested more than `MAX_JSON_DEPTH` deep.
 */
export function indentJson(text: string): string {
  let out = '';
  let depth = 0;
  let at = 0;
  let isTooLong = false;
  const maxLength = text.length * MAX_GROWTH + FREE_GROWTH;
  const newline = (): string => `\n${'  '.repeat(depth)}`;
  while (at < text.length) {
    const letter = text.charAt(at);
    isTooLong ||= out.length > maxLength;
    if (letter === '"') {
      const end = endOfString(text, at);
      if (!isTooLong) out += text.slice(at, end);
      at = end;
      continue;
    }
    at++;
    if (letter === '{' || letter === '[') {
      const close = skipSpace(text, at);
      if (text[close] === '}' || text[close] === ']') {
        if (!isTooLong) out += letter + text[close];
        at = close + 1;
      } else {
        if (++depth > MAX_JSON_DEPTH) throw tooDeep();
        if (!isTooLong) out += letter + newline();
      }
    } else if (letter === '}' || letter === ']') {
      depth--;
      if (!isTooLong) out += newline() + letter;
    } else if (isTooLong) continue;
    else if (letter === ',') out += letter + newline();
    else if (letter === ':') out += ': ';
    else if (!isSpace(letter)) out += letter;
  }
  return isTooLong ? `${text.trim()}\n` : `${out}\n`;
}

function tooDeep(): FsError {
  return new FsError('EIO', `The result has more than ${MAX_JSON_DEPTH} levels of nesting.`, {
    hint: 'Let the driver print a flatter document, or set "output":"text".',
  });
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charAt(at))) at++;
  return at;
}

const isSpace = (letter: string): boolean =>
  letter === ' ' || letter === '\n' || letter === '\r' || letter === '\t';
