/**
 * Finds parts of JSON text without changing them: numbers beyond 2^53, escapes and white space stay as
 * they were written. The text must be valid JSON already.
 */

const SPACE = new Set([' ', '\t', '\n', '\r']);

/**
 * The text of the member or element that `path` leads to from the top of `json`; undefined if there is
 * none. Of duplicate keys the last counts, as with `JSON.parse`.
 */
export function jsonTextAt(json: string, path: readonly string[]): string | undefined {
  let text: string | undefined = json.trim();
  for (const key of path) {
    if (text === undefined) return undefined;
    text = memberText(text, key);
  }
  return text;
}

function memberText(json: string, key: string): string | undefined {
  const isArray = json[0] === '[';
  if (!isArray && json[0] !== '{') return undefined;
  let found: string | undefined;
  let at = skipSpace(json, 1);
  for (let index = 0; at < json.length && json[at] !== '}' && json[at] !== ']'; index++) {
    let name: string = String(index);
    if (!isArray) {
      const end = endOfString(json, at);
      name = JSON.parse(json.slice(at, end)) as string;
      at = skipSpace(json, skipSpace(json, end) + 1);
    }
    const end = endOfValue(json, at);
    if (name === key) found = json.slice(at, end);
    at = skipSpace(json, end);
    if (json[at] === ',') at = skipSpace(json, at + 1);
  }
  return found;
}

function skipSpace(json: string, at: number): number {
  while (SPACE.has(json.charAt(at))) at++;
  return at;
}

function endOfString(json: string, at: number): number {
  for (let i = at + 1; i < json.length; i++) {
    if (json[i] === '\\') i++;
    else if (json[i] === '"') return i + 1;
  }
  return json.length;
}

function endOfValue(json: string, at: number): number {
  if (json[at] === '"') return endOfString(json, at);
  let depth = 0;
  for (let i = at; i < json.length; i++) {
    const letter = json.charAt(i);
    if (letter === '"') i = endOfString(json, i) - 1;
    else if (letter === '{' || letter === '[') depth++;
    else if (letter === '}' || letter === ']') {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && (letter === ',' || SPACE.has(letter))) return i;
  }
  return json.length;
}
