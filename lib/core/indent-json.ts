/**
 * Re-indents JSON text by two spaces without reading its values, so that numbers beyond a double and
 * unusual escapes stay as they were written. `text` must be valid JSON. Ends in a newline.
 */
export function indentJson(text: string): string {
  let out = '';
  let depth = 0;
  let at = 0;
  const newline = (): string => `\n${'  '.repeat(depth)}`;
  while (at < text.length) {
    const letter = text[at]!;
    if (letter === '"') {
      const end = endOfString(text, at);
      out += text.slice(at, end);
      at = end;
      continue;
    }
    at++;
    if (letter === '{' || letter === '[') {
      const close = skipSpace(text, at);
      if (text[close] === '}' || text[close] === ']') {
        out += letter + text[close];
        at = close + 1;
      } else {
        depth++;
        out += letter + newline();
      }
    } else if (letter === '}' || letter === ']') {
      depth--;
      out += newline() + letter;
    } else if (letter === ',') out += letter + newline();
    else if (letter === ':') out += ': ';
    else if (!isSpace(letter)) out += letter;
  }
  return `${out}\n`;
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
  while (at < text.length && isSpace(text[at]!)) at++;
  return at;
}

const isSpace = (letter: string): boolean =>
  letter === ' ' || letter === '\n' || letter === '\r' || letter === '\t';
