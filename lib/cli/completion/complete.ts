import type { Argument, Command, Option } from 'commander';
import { isRepeatable } from '../options.js';
import { topicNames } from '../topics.js';
import { plain } from '../harmless.js';
import { writeOut } from '../write-out.js';
import { DIRS, FILES, plainWords, withHead, wordsOf, type Candidate, type Completion } from './candidate.js';
import type { LiveSource } from './live-values.js';
import { nextArgument, typedLine, type TypedLine } from './typed-line.js';

/** Whoever types does not wait longer for what is not there, unless he says so. */
const PATIENCE_MS = 1000;
const PATIENCE_VARIABLE = 'ACHERON_COMPLETION_MS';
const MAX_CANDIDATES = 1000;

/** The program, with the whole of the command of that name. */
export type LoadProgram = (name: string | undefined) => Promise<Command>;

/**
 * Prints what may stand at the cursor: `words`, `files` or `dirs` on a line, then a candidate a line, with a tab before what it
 * is. Whatever goes wrong, there is nothing to offer: a prompt is no place to say so.
 */
export async function complete(argv: readonly string[], load: LoadProgram): Promise<void> {
  const giveUp = new AbortController();
  const patience = Number(process.env[PATIENCE_VARIABLE] ?? PATIENCE_MS);
  const late = setTimeout(() => giveUp.abort(), patience > 0 ? patience : PATIENCE_MS);
  const text = await completionText(argv[0] === '--' ? argv.slice(1) : argv, load, giveUp.signal);
  clearTimeout(late);
  await writeOut(text);
  // A connection that is still being tried would keep the process.
  if (giveUp.signal.aborted) process.exit();
}

/** What `complete` prints for these words, the last of them at the cursor; nothing is offered once `signal` aborts. */
export async function completionText(
  words: readonly string[],
  load: LoadProgram,
  signal: AbortSignal,
): Promise<string> {
  const current = words.at(-1) ?? '';
  const nothing = wordsOf([]);
  const late = new Promise<Completion>((resolve) =>
    signal.addEventListener('abort', () => resolve(nothing), { once: true }),
  );
  const found = completionOf(words.slice(0, -1), current, load, signal).catch(() => nothing);
  const { kind, candidates } = await Promise.race([found, late]);
  const lines = candidates
    // Names that others gave: what would act on a terminal, or be two lines, is not offered.
    .filter(({ value }) => value.startsWith(current) && !/[\p{Cc}\p{Cf}]/u.test(value))
    .slice(0, MAX_CANDIDATES)
    .map(({ value, about }) => (about === undefined ? value : `${value}\t${firstLine(about)}`));
  return `${[kind, ...lines].join('\n')}\n`;
}

const firstLine = (text: string): string =>
  plain(text.trim().replace(/[\r\n][^]*$/, '')).replaceAll('\t', ' ');

async function completionOf(
  words: readonly string[],
  current: string,
  load: LoadProgram,
  signal: AbortSignal,
): Promise<Completion> {
  const program = await load(words.find((word) => !word.startsWith('-')));
  const line = typedLine(program, words);
  if (line.pending !== undefined) return valuesOf(line, optionNames(line.pending), current, signal);
  if (!line.isPlain && current.startsWith('-')) return flagsAt(line, current, signal);
  if (line.command === program)
    return line.operands.length === 0 ? commandsOf(program) : helpTopics(program, line);
  const below = line.operands.length === 0 ? commandsOf(line.command) : wordsOf([]);
  const argument = nextArgument(line);
  if (argument === undefined) return below;
  const values = await valuesOf(line, argumentNames(argument), current, signal);
  return { kind: values.kind, candidates: [...below.candidates, ...values.candidates] };
}

function commandsOf(command: Command): Completion {
  const commands = command.commands.map((sub) => ({
    value: sub.name(),
    about: sub.summary() || sub.description(),
  }));
  const help =
    command.parent === null
      ? [{ value: 'help', about: 'say how a command is called, or print a topic' }]
      : [];
  return wordsOf([...commands, ...help]);
}

function helpTopics(program: Command, { operands }: TypedLine): Completion {
  if (operands.length !== 1 || operands[0] !== 'help') return wordsOf([]);
  return wordsOf([...commandsOf(program).candidates, ...topicNames()]);
}

/** Options; after `--name=`, values of that one. */
async function flagsAt(line: TypedLine, current: string, signal: AbortSignal): Promise<Completion> {
  const equals = current.indexOf('=');
  if (equals > 0) {
    const name = current.slice(0, equals);
    const option = line.command.options.find(({ long }) => long === name);
    if (option === undefined) return name === COLOR ? plainWords(COLORS) : wordsOf([]);
    const values = await valuesOf(line, optionNames(option), current.slice(equals + 1), signal);
    return withHead(`${name}=`, values);
  }
  const options: Candidate[] = line.command.options
    .filter((option) => !option.hidden && (!line.given.has(option) || mayComeAgain(option)))
    .flatMap(({ long, description }) => (long === undefined ? [] : { value: long, about: description }));
  return wordsOf([...options, ...EVERYWHERE]);
}

const mayComeAgain = (option: Option): boolean => option.variadic || isRepeatable(option.parseArg);

const COLOR = '--color';
const COLORS = ['always', 'never', 'auto'].map((when) => `${COLOR}=${when}`);
/** What every command has, beside its own options. */
const EVERYWHERE: readonly Candidate[] = [
  { value: '--help', about: 'how it is called' },
  { value: COLOR, about: 'colour text, also where it goes into a pipe' },
  { value: '--no-color', about: 'colour nothing' },
];

/** What a value is called: what is known of any of the names is offered. */
interface Named {
  readonly names: readonly string[];
  readonly choices: readonly string[] | undefined;
}

const argumentNames = (argument: Argument): Named => ({
  names: [argument.name()],
  choices: argument.argChoices,
});

function optionNames(option: Option): Named {
  const [, placeholder = ''] = /<(.+?)(?:\.\.\.)?>/.exec(option.flags) ?? [];
  return { names: [option.name(), placeholder], choices: option.argChoices };
}

const FIXED: ReadonlyMap<string, Completion> = new Map([
  ['file', FILES],
  ['files', FILES],
  ['program', FILES],
  ['server', FILES],
  ['dir', DIRS],
  ['as', plainWords(['user', 'admin'])],
]);

/** What a control plane or a node is asked for. */
const LIVE: ReadonlyMap<string, LiveSource> = new Map([
  ['service', 'services'],
  ['payload', 'payload'],
  ['node', 'nodes'],
  ['project', 'projects'],
  ['path', 'paths'],
  ['job', 'jobs'],
  ['token-id', 'tokens'],
  ['code', 'pairings'],
  ['request', 'pairings'],
]);

async function valuesOf(
  line: TypedLine,
  { names, choices }: Named,
  current: string,
  signal: AbortSignal,
): Promise<Completion> {
  if (choices !== undefined) return plainWords(choices);
  for (const name of names) {
    const fixed = FIXED.get(name);
    if (fixed !== undefined) return fixed;
    const live = LIVE.get(name);
    if (live === undefined) continue;
    const { liveValues } = await import('./live-values.js');
    return wordsOf(await liveValues(live, line, current, signal));
  }
  return wordsOf([]);
}
