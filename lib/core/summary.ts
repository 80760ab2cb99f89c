/** A sentence that is longer is cut; nobody means that as one. */
const MAX_CHARACTERS = 500;

/** A full stop ends one where what follows begins one, but not after an abbreviation. */
const FIRST_SENTENCE =
  /^.*?(?<!\b(?:e\.g|i\.e|etc|cf|vs|approx))[.!?]["'`)]*(?=\s+(?:\p{Lu}|["'`([*])|\s*$)/u;

/**
 * The first sentence of a help text in Markdown, whole and on one line: that of its first paragraph, or
 * its heading where it has nothing else. Empty for an empty text.
 */
export function summaryFromHelp(helpMd: string): string {
  const lines = helpMd.split('\n').map((line) => line.trim());
  const isProse = (line: string): boolean => line !== '' && !/^(#|```|~~~|<!--)/.test(line);
  const from = lines.findIndex(isProse);
  if (from === -1) return cut((lines.find((line) => line !== '') ?? '').replace(/^#+\s*/, ''));
  const length = lines.slice(from).findIndex((line) => !isProse(line));
  const paragraph = lines.slice(from, length === -1 ? undefined : from + length).join(' ');
  return cut(FIRST_SENTENCE.exec(paragraph)?.[0] ?? paragraph);
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS - 1)}…` : line;
}
