import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { FsError, isJsonObject, traceparentFrom, type JsonObject, type JsonValue } from '../../core/index.js';
import { EXIT } from '../failure.js';
import { Client } from '../../client/index.js';
import { goOnWithoutOutput } from '../output.js';
import { ProgressBar } from '../progress-bar.js';
import { printNote } from '../print.js';
import { areItems, payloadFromItems } from '../payload-items.js';
import { findService, followStatus, followStream, jobWhenThere, readText } from '../../worldfs/index.js';
import { addAccessOptions, openTree, type AccessFlags, type Tree } from '../tree-access.js';
import { writeError, writeOut } from '../write-out.js';
import { writeResult } from '../write-result.js';

type InvokeFlags = AccessFlags & {
  readonly key?: string;
  readonly quiet?: boolean;
  readonly watch?: boolean;
  readonly output?: string;
};

export function invokeCommand(): Command {
  const command = new Command('invoke')
    .description(
      'Run a service and print its result; its stderr is passed on as it comes, and a terminal shows a bar where the\nservice says how far it is. Exits 0 when it succeeded.',
    )
    .argument('<service>', 'a service, node/service, or the path of one')
    .argument(
      '[payload...]',
      'a JSON object, read from standard input where it is "-" or absent; or its parts: key=text, key:=json, list[]=text, object[key]=text, key=@file (its text), key:=@file (its JSON), key@file (as a file)',
    )
    .option('--key <key>', 'make a retry safe: the same key and request run once')
    .option('-w, --watch', 'print what the service prints as it comes, in place of the result')
    .option(
      '-o, --output <file>',
      'write the result to a file; a result that is text or bytes alone, as that',
    )
    .option('-q, --quiet', "leave out the driver's stderr, and the bar");
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `\nExamples:\n  $ acheron invoke echo '{"text":"hi"}'\n  $ acheron invoke countdown seconds=3\n  $ jq -n '{seconds: 3}' | acheron invoke countdown\n  $ acheron invoke resize image@photo.jpg width=640 --output small.jpg`,
    )
    .action((service: string, payload: string[], flags: InvokeFlags) => invoke(service, payload, flags));
}

async function invoke(service: string, words: readonly string[], flags: InvokeFlags): Promise<void> {
  goOnWithoutOutput();
  const [payload, ...more] = words;
  const byItems = areItems(words);
  if (!byItems && more.length > 0)
    throw new FsError('EINVAL', 'A JSON object is all of a request: nothing may follow it.', {
      hint: 'Quote it as one word, or give its parts: key=text.',
    });
  const isAsked = payload === undefined || payload === '-';
  if (isAsked && process.stdin.isTTY)
    printNote('The request, one JSON object, is read from the terminal. Ctrl-D ends it.');
  const said = byItems ? '' : isAsked ? await text(process.stdin) : payload;
  const tree = await openTree(flags);
  try {
    const path = await findService(tree.root, service, tree.op());
    // Where nothing is written nothing runs, and what could be read is a form.
    if (!byItems && said.trim() === '') throw await nothingAsked(tree, path, service);
    const request = byItems ? JSON.stringify(payloadFromItems(words, await schemaOf(tree, path))) : said;
    const key = flags.key ?? keyIn(request) ?? `acheron-invoke-${randomUUID()}`;
    await run(tree, {
      path,
      key,
      request: withKey(withTraceparent(request, process.env['TRACEPARENT']), key),
      quiet: flags.quiet === true,
      watches: flags.watch === true,
      output: flags.output,
    });
  } finally {
    await tree.close();
  }
}

interface Run {
  readonly path: string;
  readonly key: string;
  readonly request: string;
  readonly quiet: boolean;
  /** Prints what the service prints, and no result. */
  readonly watches: boolean;
  /** The file that takes the result. */
  readonly output: string | undefined;
}

async function nothingAsked(tree: Tree, path: string, service: string): Promise<FsError> {
  const template = await readText(tree, `${path}/TEMPLATE.json`).catch(() => '{}');
  const example = JSON.stringify(parsed(template) ?? {});
  return new FsError('EINVAL', 'The request is empty: nothing was called.', {
    hint: `Write one JSON object, for instance: acheron invoke ${service} '${example.replaceAll("'", `'\\''`)}'`,
  });
}

/** What the service says of its requests; undefined where it cannot be read. */
async function schemaOf(tree: Tree, path: string): Promise<JsonValue | undefined> {
  try {
    const schema: unknown = JSON.parse(await readText(tree, `${path}/SCHEMA.json`));
    return isJsonObject(schema) ? schema['input'] : undefined;
  } catch {
    // Everything is text then, and the service says what it thinks of it.
    return undefined;
  }
}

async function run(tree: Tree, call: Run): Promise<void> {
  const { path, key, request, quiet, watches, output } = call;
  const interrupted = new AbortController();
  const cancel = (): void => interrupted.abort(new FsError('ECANCELED', 'The invocation was cancelled.'));
  process.once('SIGINT', cancel).once('SIGTERM', cancel);
  const over = new AbortController();
  const replied = new Client(tree)
    .invokeText(path, request, { signal: interrupted.signal })
    .finally(() => over.abort());
  const followed = follow(tree, `${path}/jobs/by-key/${key}`, over.signal, { quiet, watches });
  // It may fail before the call has ended, and is looked at after that.
  followed.catch(() => undefined);
  try {
    const reply = await replied;
    await followed;
    if (output !== undefined) writeResult(output, Buffer.from(reply));
    else if (!watches) await writeOut(reply);
  } catch (thrown) {
    await followed.catch(() => undefined);
    sayFailure(FsError.from(thrown));
  } finally {
    process.off('SIGINT', cancel).off('SIGTERM', cancel);
  }
}

function sayFailure(error: FsError): void {
  process.exitCode = EXIT.failed;
  writeError(`${error.code}: ${error.sentence}\n`);
}

/** Shows what the job prints, and how far it is, until it is over. */
async function follow(
  tree: Tree,
  link: string,
  over: AbortSignal,
  { quiet, watches }: Pick<Run, 'quiet' | 'watches'>,
): Promise<void> {
  if (quiet && !watches) return;
  const bar = quiet ? null : ProgressBar.open();
  try {
    const job = await jobWhenThere(tree, link, over);
    if (job === null) return;
    const say = (bytes: Uint8Array): void => (bar === null ? writeError(bytes) : bar.write(bytes));
    const stderr = quiet ? undefined : followStream(tree, `${job}/stderr`, over, say);
    const stdout = watches
      ? followStream(tree, `${job}/stdout`, over, (bytes) => void writeOut(bytes))
      : undefined;
    let asked: string | undefined;
    const status = quiet
      ? undefined
      : followStatus(tree, job, over, ({ progress, asks }) => {
          if (progress !== null) bar?.show(progress);
          if (asks !== undefined && asks !== asked) say(Buffer.from(questionText(asks, job)));
          asked = asks;
        });
    await Promise.all([stderr, stdout, status]);
  } finally {
    bar?.end();
  }
}

/** What a terminal might obey. */
// eslint-disable-next-line no-control-regex -- these are meant
const CONTROLS = /[\0-\x1f\x7f-\x9f]+/g;

/** Who calls it here has no way to answer but by the job's files. */
function questionText(asks: string, job: string): string {
  const where = `${posix.normalize(job).replace(/^\/+/, '')}/answer.json`;
  return `It asks: ${asks.replace(CONTROLS, ' ')}\nAnswer in the web console, or in a mount by one JSON object, as question.json beside it says, or null: ${where}\n`;
}

function parsed(request: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(request);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

function keyIn(request: string): string | null {
  const key = parsed(request)?._key;
  return typeof key === 'string' ? key : null;
}

/** The caller's own span causes the call, where the environment names one and the request does not. */
function withTraceparent(request: string, given: string | undefined): string {
  const traceparent = traceparentFrom(given);
  return traceparent === null ? request : withMember(request, '_traceparent', traceparent);
}

const withKey = (request: string, key: string): string => withMember(request, '_key', key);

/** Adds a first member that is not there; what is not an object goes as it is, for the service to refuse. */
function withMember(request: string, name: string, value: string): string {
  const object = parsed(request);
  if (object === null || Object.hasOwn(object, name)) return request;
  const rest = request.trimStart().slice(1);
  const comma = Object.keys(object).length === 0 ? '' : ',';
  return `{${JSON.stringify(name)}:${JSON.stringify(value)}${comma}${rest}`;
}
