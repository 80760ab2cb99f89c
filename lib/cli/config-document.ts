import { readFileSync } from 'node:fs';
import { getNodeValue, parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import { FsError, type JsonValue, reasonOf } from '../core/index.js';

/** `"key": value` in a config file, and where it stands. */
export interface ConfigEntry {
  readonly key: string;
  readonly value: JsonValue;
  readonly line: number;
  /** What is in it, where the value is an object. */
  readonly entries: readonly ConfigEntry[] | null;
}

/**
 * The entries of a config file: a JSON object, in which comments and commas at the end are allowed.
 * @throws FsError EINVAL with file and line; what reading it throws
 */
export function readConfigDocument(path: string): readonly ConfigEntry[] {
  const text = textOf(path);
  const lineAt = (offset: number): number => text.slice(0, offset).split('\n').length;
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined)
    throw configFault(path, lineAt(first.offset), `this is not JSON (${printParseErrorCode(first.error)}).`);
  if (tree?.type !== 'object') throw configFault(path, 1, 'it must hold one JSON object.');
  return entriesOf(tree, path, lineAt);
}

function entriesOf(tree: Node, path: string, lineAt: (offset: number) => number): ConfigEntry[] {
  const entries: ConfigEntry[] = [];
  for (const { children: [name, value] = [], offset } of tree.children ?? []) {
    const line = lineAt(offset);
    if (name === undefined || value === undefined) throw configFault(path, line, 'this is not JSON.');
    const key = String(name.value);
    if (entries.some((entry) => entry.key === key))
      throw configFault(path, line, `${JSON.stringify(key)} is said twice.`);
    entries.push({
      key,
      line,
      value: getNodeValue(value) as JsonValue,
      entries: value.type === 'object' ? entriesOf(value, path, lineAt) : null,
    });
  }
  return entries;
}

/** What is wrong at that line of the file. */
export function configFault(path: string, line: number, what: string): FsError {
  return new FsError('EINVAL', `${path}:${line}: ${what}`, {
    path,
    hint: 'A config file holds long option names, for all commands or in a section of one: {"state-dir": "/srv/a", "node": {"node-name": "n1"}}.',
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (thrown) {
    throw new FsError(
      FsError.from(thrown).code,
      `The config file ${path} cannot be read: ${reasonOf(thrown)}.`,
      {
        hint: 'Correct --config or ACHERON_CONFIG, or let this user read it.',
        path,
        cause: thrown,
      },
    );
  }
}
