/** Two columns wide in a terminal: East Asian characters and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
/** No column of its own: what is put upon the character before. */
const NONE = /\p{Mn}|\p{Me}|\u200d|[\ufe00-\ufe0f]/u;

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** As much of a text as fits into so many columns; what is cut ends in `…`. */
export function fitted(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let shown = '';
  let left = columns - 1;
  for (const character of text) {
    left -= columnsOf(character);
    if (left < 0) break;
    shown += character;
  }
  return columns > 0 ? `${shown}…` : '';
}

/** Cut or filled with blanks to just so many columns. */
export function padded(text: string, columns: number, side: 'left' | 'right' = 'left'): string {
  const shown = fitted(text, columns);
  const blanks = ' '.repeat(Math.max(0, columns - widthOf(shown)));
  return side === 'left' ? shown + blanks : blanks + shown;
}

function columnsOf(character: string): number {
  if (NONE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
