import { visit } from 'jsonc-parser';
import type { JsonObject } from '../core/index.js';

/** How much of a long line is shown, in UTF-16 code units. */
const WINDOW = 160;
const MASK = '•';

/** The place of a fault in the text of its manifest, to be shown. */
export interface SourceExcerpt extends JsonObject {
  readonly line: number;
  readonly column: number;
  /** The line, or the part of a long one around the place. What may be the value of an environment variable is masked. */
  readonly source: string;
  /** Spaces and a `^`, to be shown below `source`. */
  readonly caret: string;
}

/**
 * The line of a JSON text in which a fault is, and a caret below its column; both count from 1. Values of `env` and `headers` never
 * show; where the text is no JSON, so that nobody can say what is a value of `env`, only names and structure do.
 */
export function excerptAt(
  text: string,
  { line, column }: { readonly line: number; readonly column: number },
  isJson: boolean,
): SourceExcerpt {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const shown = maskedText(source, isJson).split(/\r\n|\r|\n/)[line - 1] ?? '';
  const at = Math.min(column - 1, shown.length);
  const start = shown.length <= WINDOW ? 0 : Math.max(0, Math.min(at - WINDOW / 2, shown.length - WINDOW));
  const clean = shown.slice(start, start + WINDOW).replaceAll('\t', ' ');
  return { line, column, source: clean, caret: `${' '.repeat(at - start)}^` };
}

/** The text, as long as it was, with a mask over each character of what must not be seen. */
export function maskedText(text: string, isJson: boolean): string {
  if (!isJson) return text.replace(NAME_OR_CHARACTER, (found) => (found.startsWith('"') ? found : MASK));
  const parts: string[] = [];
  let copied = 0;
  visit(text, {
    onLiteralValue: (value, offset, length, _line, _character, path) => {
      if (!path().some((step) => SECRET.has(step))) return;
      const quotes = typeof value === 'string' ? 1 : 0;
      parts.push(text.slice(copied, offset + quotes), MASK.repeat(length - 2 * quotes));
      copied = offset + length - quotes;
    },
  });
  return parts.join('') + text.slice(copied);
}

/** Fields whose values, at any depth, nobody is shown. */
const SECRET: ReadonlySet<unknown> = new Set(['env', 'headers']);

/** The name of a member, quotes included, or a character that gives the text no structure. */
const NAME_OR_CHARACTER = /"(?:[^"\\\r\n]|\\.)*"(?=\s*:)|[^\s{}[\]:,"]/g;
