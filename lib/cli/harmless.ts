/** Controls but tab and line feed, DEL, C1, and what turns the direction of text. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const ACTING = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text of others for a terminal: what would act on it is shown as `\x1b`. */
export function harmless(text: string): string {
  return text.replace(ACTING, escaped);
}

/** On one line, and without what cannot be seen: for names, cells and logs. */
export function plain(value: string | number): string {
  return String(value).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}
