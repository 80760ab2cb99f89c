import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { isId } from '../core/index.js';
import { LOG_FORMATS, LOG_LEVELS } from './log-format.js';
import { defaultStateDir } from './state-dir.js';

/** An option that may also come from `ACHERON_<NAME>`, or from the config file, in that order. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.env(variableOf(made));
}

/** The variable that may stand for an option which `option` has made. */
export function variableOf(made: Option): string {
  return `ACHERON_${made.name().toUpperCase().replaceAll('-', '_')}`;
}

const secret = new WeakSet<Option>();

/** An option whose value is a secret: from its variable or a config file alone, since others see a command line. */
export function secretOption(flags: string, description: string): Option {
  const made = option(flags, description).hideHelp();
  secret.add(made);
  return made;
}

export const isSecret = (made: Option): boolean => secret.has(made);

export const stateDirOption = (): Option =>
  option('--state-dir <dir>', 'where state lives')
    .default(defaultStateDir())
    .argParser((dir: string) => resolve(dir));

export const stateFileOption = (): Option =>
  option(
    '--state-file <file>',
    'where the node keeps its state (default: node.json in the state directory)',
  ).argParser((file: string) => resolve(file));

export const logLevelOption = (): Option =>
  option('--log-level <level>', 'how much is logged on standard error')
    .choices([...LOG_LEVELS])
    .default('warn');

export const logFormatOption = (): Option =>
  option(
    '--log-format <format>',
    'how it is logged: for people, or a JSON object a line (default: text; in the journal, its own entries)',
  ).choices([...LOG_FORMATS]);

export const noConsoleOption = (): Option => option('--no-console', 'without the web console at /console/');

export const configOption = (): Option =>
  option('--config <file>', 'a file with options, as docs/ADMIN.md describes it').argParser((file: string) =>
    resolve(file),
  );

export const jsonOption = (): Option => option('--json', 'print JSON');

export function integer(minimum: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!Number.isSafeInteger(value) || value < minimum)
      throw new InvalidArgumentError(`It must be a whole number from ${minimum}.`);
    return value;
  };
}

/** A TCP port; 0 picks one. */
export function port(text: string): number {
  const value = integer(0)(text);
  if (value > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return value;
}

export function idArgument(text: string): string {
  if (!isId(text))
    throw new InvalidArgumentError(
      'It must be 1 to 128 of the characters A-Z a-z 0-9 . _ - (not "." or "..").',
    );
  return text;
}

const repeatable = new WeakSet<object>();

/** Whether an option with this parser may be given more than once. */
export function isRepeatable(parser: unknown): boolean {
  return typeof parser === 'function' && repeatable.has(parser);
}

/** Marks the parser of an option that may be given more than once. */
export function repeating<Parser extends object>(parser: Parser): Parser {
  repeatable.add(parser);
  return parser;
}

/** Collects a repeatable option. */
export function collect<Value>(
  parse: (text: string) => Value,
): (text: string, before: readonly Value[] | undefined) => Value[] {
  return repeating((text, before) => [...(before ?? []), parse(text)]);
}

/** `key=value`, repeatable, as an object. */
export const collectLabels = repeating(
  (text: string, before: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> => {
    const at = text.indexOf('=');
    if (at < 1) throw new InvalidArgumentError('It must look like key=value.');
    return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
  },
);
