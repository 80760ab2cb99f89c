const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MARKS = new Set(Buffer.from(',:{['));

/**
 * Whether JSON text has more commas, colons and opening brackets outside of its strings than `most`: what it costs to
 * parse, where its length does not say. Texts that are no JSON are counted as far as they look like it.
 */
export function hasMoreMarks(text: string, most: number): boolean {
  if (text.length <= most) return false;
  let marks = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (MARKS.has(code) && ++marks > most) return true;
  }
  return false;
}

/** Where the string that begins at `from` has its last quote. */
function endOfString(text: string, from: number): number {
  for (let at = from; ;) {
    at = text.indexOf('"', at + 1);
    if (at === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}
