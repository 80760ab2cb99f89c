import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { FsError, isJsonObject, type JsonObject } from '../../core/index.js';
import { EXIT } from '../failure.js';
import { Client } from '../../client/index.js';
import { goOnWithoutOutput } from '../output.js';
import { ProgressBar } from '../progress-bar.js';
import { findService, followProgress, followStream, jobWhenThere } from '../../worldfs/index.js';
import { addAccessOptions, openTree, type AccessFlags, type Tree } from '../tree-access.js';
import { writeError, writeOut } from '../write-out.js';

type InvokeFlags = AccessFlags & { readonly key?: string; readonly quiet?: boolean };

export function invokeCommand(): Command {
  const command = new Command('invoke')
    .description(
      'Run a service and print its result; its stderr is passed on as it comes, and a terminal shows a bar where the\nservice says how far it is. Exits 0 when it succeeded.',
    )
    .argument('<service>', 'a service, node/service, or the path of one')
    .argument('[payload]', 'a JSON object; read from standard input where it is "-" or absent')
    .option('--key <key>', 'make a retry safe: the same key and request run once')
    .option('-q, --quiet', "leave out the driver's stderr, and the bar");
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `\nExamples:\n  $ acheron invoke echo '{"text":"hi"}'\n  $ jq -n '{seconds: 3}' | acheron invoke countdown`,
    )
    .action((service: string, payload: string | undefined, flags: InvokeFlags) =>
      invoke(service, payload, flags),
    );
}

async function invoke(service: string, payload: string | undefined, flags: InvokeFlags): Promise<void> {
  goOnWithoutOutput();
  const request = payload === undefined || payload === '-' ? await text(process.stdin) : payload;
  const tree = await openTree(flags);
  try {
    const path = await findService(tree.root, service, tree.op());
    const key = flags.key ?? keyIn(request) ?? `acheron-invoke-${randomUUID()}`;
    await run(tree, { path, key, request: withKey(request, key), quiet: flags.quiet === true });
  } finally {
    await tree.close();
  }
}

interface Run {
  readonly path: string;
  readonly key: string;
  readonly request: string;
  readonly quiet: boolean;
}

async function run(tree: Tree, { path, key, request, quiet }: Run): Promise<void> {
  const interrupted = new AbortController();
  const cancel = (): void => interrupted.abort(new FsError('ECANCELED', 'The invocation was cancelled.'));
  process.once('SIGINT', cancel).once('SIGTERM', cancel);
  const over = new AbortController();
  const replied = new Client(tree)
    .invokeText(path, request, { signal: interrupted.signal })
    .finally(() => over.abort());
  const followed = quiet ? Promise.resolve() : follow(tree, `${path}/jobs/by-key/${key}`, over.signal);
  try {
    const reply = await replied;
    await followed;
    await writeOut(reply);
  } catch (thrown) {
    await followed;
    sayFailure(FsError.from(thrown));
  } finally {
    process.off('SIGINT', cancel).off('SIGTERM', cancel);
  }
}

function sayFailure(error: FsError): void {
  process.exitCode = EXIT.failed;
  writeError(`${error.code}: ${error.sentence}\n`);
}

/** Shows what the job prints on stderr, and how far it is, until it is over. */
async function follow(tree: Tree, link: string, over: AbortSignal): Promise<void> {
  const bar = ProgressBar.open();
  try {
    const job = await jobWhenThere(tree, link, over);
    if (job === null) return;
    const stderr = followStream(tree, `${job}/stderr`, over, (bytes) =>
      bar === null ? writeError(bytes) : bar.write(bytes),
    );
    const progress = bar && followProgress(tree, job, over, (shown) => bar.show(shown));
    await Promise.all([stderr, progress]);
  } finally {
    bar?.end();
  }
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

/** Adds the key as the first member; what is not an object goes as it is, for the service to refuse. */
function withKey(request: string, key: string): string {
  const object = parsed(request);
  if (object === null || Object.hasOwn(object, '_key')) return request;
  const rest = request.trimStart().slice(1);
  return `{"_key":${JSON.stringify(key)}${Object.keys(object).length === 0 ? '' : ','}${rest}`;
}
