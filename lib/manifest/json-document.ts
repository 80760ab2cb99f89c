import { findNodeAtLocation, parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import { parseExactly, type JsonValue } from '../core/index.js';
import { pointerFromPath, type ManifestFault, type PathStep, type Problem } from './fault.js';

/** Deeper nesting than any manifest has; keeps every later recursion shallow. */
export const MAX_JSON_DEPTH = 100;

/** A JSON text, its value, and where in the text each part of the value stands. */
export interface JsonDocument {
  readonly value: JsonValue;
  place(problem: Problem): ManifestFault;
}

/** Reads strict JSON (RFC 8259; a byte order mark is skipped). Every syntax fault found is reported. */
export function readJsonDocument(
  text: string,
  file: string,
): { document: JsonDocument } | { faults: ManifestFault[] } {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const lines = new LineMap(source);
  const faultAt = (offset: number, message: string, hint: string, pointer = ''): ManifestFault => ({
    file,
    ...lines.positionOf(offset),
    pointer,
    message,
    expected: 'a JSON document',
    got: 'text that is not JSON',
    hint,
  });

  const deep = offsetOfDepth(source, MAX_JSON_DEPTH);
  if (deep !== -1)
    return {
      faults: [faultAt(deep, `Nested more than ${MAX_JSON_DEPTH} levels deep.`, 'Keep the manifest flat.')],
    };

  let value: JsonValue;
  const errors: ParseError[] = [];
  const tree = parseTree(source, errors, { disallowComments: true, allowTrailingComma: false });
  try {
    value = parseExactly(source);
  } catch (thrown) {
    if (errors.length === 0)
      return { faults: [faultAt(offsetFromMessage(thrown, source), messageOf(thrown), SYNTAX_HINT)] };
    return {
      faults: withoutEchoes(errors).map((error) => {
        const [message, hint] = SYNTAX_WORDS.get(printParseErrorCode(error.error)) ?? [
          'This is not JSON.',
          SYNTAX_HINT,
        ];
        return faultAt(error.offset, message, hint);
      }),
    };
  }

  const doubles = tree === undefined ? [] : doubleKeys(tree);
  if (doubles.length > 0)
    return {
      faults: doubles.map(({ node, path }) => ({
        ...faultAt(
          node.offset,
          `The property ${JSON.stringify(node.value)} is said twice.`,
          'Remove one of the two.',
          pointerFromPath(path),
        ),
        expected: 'each property once',
        got: 'the same name again',
      })),
    };
  return {
    document: {
      value,
      place: (problem) => ({
        file,
        ...lines.positionOf(offsetOf(tree, problem.path, problem.atKey === true)),
        pointer: pointerFromPath(problem.path),
        message: problem.message,
        expected: problem.expected,
        got: problem.got,
        hint: problem.hint ?? '',
      }),
    },
  };
}

const SYNTAX_HINT = 'Manifests are strict JSON: double quotes, no comments, no trailing commas.';

const SYNTAX_WORDS = new Map<string, [message: string, hint: string]>([
  [
    'InvalidSymbol',
    ['This word is not JSON.', 'Put strings in double quotes; the only words are true, false and null.'],
  ],
  [
    'InvalidNumberFormat',
    ['This is not a JSON number.', 'Write it in decimal, without leading zeros or a plus sign.'],
  ],
  [
    'PropertyNameExpected',
    ['A property name in double quotes is missing here.', 'Remove a comma too many, or quote the name.'],
  ],
  ['ValueExpected', ['A value is missing here.', 'Remove a comma too many, or give the value.']],
  ['ColonExpected', ['A colon is missing here.', 'Write "name": value.']],
  ['CommaExpected', ['A comma is missing here.', 'Separate properties and items by a comma.']],
  ['CloseBraceExpected', ['A closing brace "}" is missing.', 'The text ends too early; was it saved whole?']],
  [
    'CloseBracketExpected',
    ['A closing bracket "]" is missing.', 'The text ends too early; was it saved whole?'],
  ],
  [
    'EndOfFileExpected',
    ['The document has ended, but more text follows.', 'Keep one JSON object in the file.'],
  ],
  ['InvalidCommentToken', ['Comments are not JSON.', SYNTAX_HINT]],
  ['UnexpectedEndOfComment', ['Comments are not JSON.', SYNTAX_HINT]],
  ['UnexpectedEndOfString', ['This string has no closing quote.', 'Close it with " on the same line.']],
  ['UnexpectedEndOfNumber', ['This number is incomplete.', 'Write it out, or remove it.']],
  ['InvalidUnicode', ['This \\u escape is not four hexadecimal digits.', 'Write it as \\u0041.']],
  ['InvalidEscapeCharacter', ['This backslash escape is not JSON.', 'Write a backslash as \\\\.']],
  [
    'InvalidCharacter',
    ['A control character stands in this string.', 'Write it as an escape: \\n, \\t, \\u0007.'],
  ],
]);

/** One mistake makes the tolerant parser complain several times in one place: the first says it best. */
function withoutEchoes(errors: readonly ParseError[]): ParseError[] {
  const kept: ParseError[] = [];
  for (const error of errors) {
    const last = kept.at(-1);
    if (last === undefined || error.offset > last.offset + last.length) kept.push(error);
  }
  return kept.slice(0, 20);
}

function doubleKeys(tree: Node): { node: Node; path: PathStep[] }[] {
  const found: { node: Node; path: PathStep[] }[] = [];
  const visit = (node: Node, path: PathStep[]): void => {
    if (node.type === 'array') node.children?.forEach((child, index) => visit(child, [...path, index]));
    if (node.type !== 'object') return;
    const seen = new Set<string>();
    for (const property of node.children ?? []) {
      const [key, value] = property.children ?? [];
      if (key === undefined) continue;
      const name = String(key.value);
      if (seen.has(name)) found.push({ node: key, path: [...path, name] });
      seen.add(name);
      if (value !== undefined) visit(value, [...path, name]);
    }
  };
  visit(tree, []);
  return found;
}

/** Where the value (or the name) at `path` begins; where it is absent, where the nearest parent begins. */
function offsetOf(tree: Node | undefined, path: readonly PathStep[], atKey: boolean): number {
  if (tree === undefined) return 0;
  for (let length = path.length; length >= 0; length--) {
    const node = find(tree, path.slice(0, length));
    if (node === undefined) continue;
    const wantsKey = atKey && length === path.length && node.parent?.type === 'property';
    return wantsKey ? node.parent.offset : node.offset;
  }
  return tree.offset;
}

function find(tree: Node, path: readonly PathStep[]): Node | undefined {
  let node: Node | undefined = tree;
  for (const step of path) {
    if (node === undefined) return undefined;
    node = findNodeAtLocation(node, [node.type === 'array' ? Number(step) : String(step)]);
  }
  return node;
}

function offsetOfDepth(text: string, limit: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text.charCodeAt(i);
    if (quoted) {
      if (letter === 0x5c) i++;
      else if (letter === 0x22) quoted = false;
    } else if (letter === 0x22) quoted = true;
    else if (letter === 0x7b || letter === 0x5b) {
      if (++depth > limit) return i;
    } else if (letter === 0x7d || letter === 0x5d) depth--;
  }
  return -1;
}

function offsetFromMessage(thrown: unknown, text: string): number {
  const position = /position (\d+)/.exec(messageOf(thrown))?.[1];
  return position === undefined ? text.length : Number(position);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : 'This is not JSON.';
}

/** Turns offsets into lines and columns. */
class LineMap {
  readonly #text: string;
  #starts: number[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  positionOf(offset: number): { line: number; column: number } {
    const starts = (this.#starts ??= this.#find());
    let low = 0;
    let lineStart = 0;
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      const start = starts[middle];
      if (start !== undefined && start <= offset) [low, lineStart] = [middle, start];
      else high = middle;
    }
    return { line: low + 1, column: offset - lineStart + 1 };
  }

  #find(): number[] {
    const starts = [0];
    for (let at = this.#text.indexOf('\n'); at !== -1; at = this.#text.indexOf('\n', at + 1))
      starts.push(at + 1);
    return starts;
  }
}
