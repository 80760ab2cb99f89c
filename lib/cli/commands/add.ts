import { setTimeout as delay } from 'node:timers/promises';
import { relative, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FsError, isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js';
import { readManifest } from '../../manifest/index.js';
import { walk } from '../../vfs/index.js';
import { durationMs } from '../duration.js';
import { commandManifest, httpManifest, mcpManifest, type NewService } from '../new-manifest.js';
import { collect, idArgument } from '../options.js';
import { ProgramCommand } from '../program-words.js';
import { saidType } from '../placeholder-schema.js';
import { printJson, printLine, printNote } from '../print.js';
import { readText } from '../../worldfs/index.js';
import { servicesFolder, withRunningNode, type RunningHere } from '../services-folder.js';
import { addLocalOptions, type LocalFlags } from '../tree-access.js';
import { writeManifests } from '../write-manifests.js';

type AddFlags = LocalFlags & {
  readonly servicesDir?: string;
  readonly description?: string;
  readonly allow?: readonly string[];
  readonly timeout?: number;
  readonly type?: readonly (readonly [string, { type: string; optional: boolean }])[];
  readonly force?: boolean;
  readonly json?: boolean;
};

type HttpFlags = AddFlags & {
  readonly query?: readonly (readonly [string, string])[];
  readonly header?: readonly (readonly [string, string])[];
  readonly form?: readonly (readonly [string, string])[];
  readonly body?: JsonValue;
  readonly auth?: readonly JsonObject[];
  readonly result?: string;
};

/** How long a node is waited for that should have taken a manifest by now. */
const TAKEN_MS = 10_000;
const LOOK_MS = 50;

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'];

export function addCommand(): Command {
  const command = new Command('add')
    .description(
      'Make a service: writes its manifest, with a schema of the values that {payload.<name>} stands for, and says how to call it.',
    )
    // What stands after `cmd` is read by `cmd` alone, in its order.
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES);
  command.addCommand(
    withOptions(
      new ProgramCommand('cmd')
        .summary('a program')
        .description('A service that runs a program for each call.'),
    )
      .argument('<name>', 'the name of the service', idArgument)
      .argument(
        '<program...>',
        'the program and its arguments: all that follows is theirs; -- may stand before them',
      )
      .addOption(
        new Option('--output <kind>', 'what the program prints: text, or one JSON document')
          .choices(['text', 'json'])
          .default('text'),
      )
      .action((name: string, words: string[], flags: AddFlags & { output: 'text' | 'json' }) =>
        add(flags, commandManifest(serviceOf(name, flags), words, flags.output)),
      ),
  );
  command.addCommand(httpCommand());
  command.addCommand(
    withOptions(
      new ProgramCommand('mcp', (word) => !isUrl(word))
        .summary('an MCP server')
        .description('The tools of an MCP server as services: of a program, or at an address.'),
    )
      .argument('<name>', 'what the names of its services begin with', idArgument)
      .argument('<server...>', 'the program and its arguments: all that follows is theirs; or its URL')
      .addOption(
        new Option(
          '--header <name: value>',
          'a header for its URL; {env.NAME} stands for a variable (repeatable)',
        ).argParser(collect(headerFrom)),
      )
      .action((name: string, words: string[], flags: HttpFlags) =>
        add(flags, mcpManifest(serviceOf(name, flags), words, flags.header ?? [])),
      ),
  );
  return command;
}

function httpCommand(): Command {
  return withOptions(
    new Command('http')
      .summary('a request to a server')
      .description('A service that makes an HTTP request for each call.'),
  )
    .argument('<name>', 'the name of the service', idArgument)
    .argument('<method-or-url>', 'the method (default: GET)')
    .argument('[url]', 'the URL; {payload.<name>} in its path or query stands for a value of the request')
    .addOption(new Option('--query <name=value>', 'a parameter (repeatable)').argParser(collect(pairFrom)))
    .addOption(new Option('--header <name: value>', 'a header (repeatable)').argParser(collect(headerFrom)))
    .addOption(
      new Option('--form <name=value>', 'a field of a form (repeatable)').argParser(collect(pairFrom)),
    )
    .addOption(
      new Option(
        '--body <json>',
        'the JSON to send (default for POST, PUT and PATCH: the whole request)',
      ).argParser(jsonFrom),
    )
    .addOption(
      new Option(
        '--auth <how>',
        'bearer=VAR, basic:USER=VAR, header:NAME=VAR or query:NAME=VAR (repeatable); the secret is in the variable VAR of the node, or in a file: @FILE',
      ).argParser(collect(authFrom)),
    )
    .addOption(
      new Option('--result <pointer>', 'the part of the answer that is the result, as a JSON Pointer'),
    )
    .action((name: string, first: string, second: string | undefined, flags: HttpFlags) => {
      const method = second === undefined ? 'GET' : first.toUpperCase();
      if (!METHODS.includes(method))
        throw new FsError('EINVAL', `${JSON.stringify(first)} is no method.`, {
          hint: `Write one of ${METHODS.join(', ')}.`,
        });
      const { query = [], header: headers = [], form = [], body: json, auth = [], result } = flags;
      const words = { method, url: second ?? first, query, headers, form, json, auth, result };
      return add(flags, httpManifest(serviceOf(name, flags), words));
    });
}

function withOptions(command: Command): Command {
  return addLocalOptions(
    command
      .option('--services-dir <dir>', "where to put the manifest (default: the running node's folder)")
      .option('--description <text>', 'what it does, for its README.md')
      .addOption(
        new Option('--allow <role...>', 'who may use it (default: admins)').choices(['admin', 'user', 'all']),
      )
      .addOption(
        new Option('--timeout <time>', 'how long a call may take, say 5s (default: 30s)').argParser(
          durationMs,
        ),
      )
      .addOption(
        new Option(
          '--type <name=type>',
          'the type of a value: string, integer, number, boolean, array, object; with "?" it may be absent (repeatable)',
        ).argParser(collect(saidType)),
      )
      .option('--force', 'write over a manifest of that name')
      .option('--json', 'print what was written as JSON'),
  );
}

function serviceOf(name: string, { description, allow, timeout, type }: AddFlags): NewService {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(allow === undefined ? {} : { allow }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    types: new Map(type ?? []),
  };
}

async function add(flags: AddFlags, manifest: JsonObject): Promise<void> {
  const serviceId = manifest['service_id'] as string;
  await withRunningNode(flags, async (running) => {
    const folder = servicesFolder(flags.servicesDir, running);
    const taken = running?.node.services.find((service) => service.serviceId === serviceId);
    if (taken !== undefined && flags.force !== true)
      throw new FsError('EEXIST', `There is a service ${serviceId} already: ${taken.source}`, {
        hint: `Choose another name, or remove it first: acheron rm ${serviceId}`,
      });
    const [path = ''] = writeManifests(folder, [manifest], { force: flags.force === true });
    const file = relative(process.cwd(), path) || path;
    if (flags.json !== true) await printLine(file);
    const isFollowed = running?.node.servicesDirs.includes(folder) === true;
    if (running !== null && isFollowed && manifest['kind'] !== 'mcp')
      await waitUntilTaken(running, serviceId);
    else if (!isFollowed)
      printNote(
        `It is there once a node follows its folder: acheron up ./mnt --services-dir ${relative(process.cwd(), folder) || '.'}`,
      );
    const call = howToCall(manifest, path);
    await (flags.json === true
      ? printJson({ services: [serviceId], files: [file], call })
      : printLine(`Call it: ${call}`));
  });
}

/** Waits until the node has the service. */
async function waitUntilTaken({ tree, node }: RunningHere, serviceId: string): Promise<void> {
  const path = `/nodes/${node.nodeId}/services/${serviceId}`;
  const end = performance.now() + TAKEN_MS;
  for (;;) {
    try {
      await walk(tree.root, path, tree.op());
      break;
    } catch (thrown) {
      if (FsError.from(thrown).code !== 'ENOENT') throw thrown;
    }
    if (performance.now() > end) throw await notTaken(tree, node.nodeId, serviceId);
    await delay(LOOK_MS);
  }
}

async function notTaken(tree: RunningHere['tree'], nodeId: string, serviceId: string): Promise<FsError> {
  const reload: unknown = JSON.parse(await readText(tree, `/control/nodes/${nodeId}/reload.json`));
  const files =
    isJsonObject(reload) && Array.isArray(reload['files']) ? (reload['files'] as readonly JsonObject[]) : [];
  const file = files.find((one) => one['service_id'] === serviceId);
  const [fault] = (file?.['faults'] ?? []) as readonly JsonObject[];
  const why = typeof fault?.['message'] === 'string' ? ` ${fault['message']}` : '';
  return new FsError('EIO', `The node has not taken the manifest of ${serviceId}.${why}`, {
    hint: `acheron cat /control/nodes/${nodeId}/reload.json says more.`,
  });
}

/** A command to paste. */
function howToCall(manifest: JsonObject, path: string): string {
  const name = manifest['service_id'] as string;
  if (manifest['kind'] === 'mcp')
    return `acheron ls /nodes/<node>/services lists its tools; acheron invoke ${name}.<tool> …`;
  const { definition } = readManifest(JSON.stringify(manifest), { file: path, nodeId: 'local' });
  const items = Object.entries(definition?.invokeTemplate ?? {}).map(([key, value]) =>
    typeof value === 'string' ? shellWord(`${key}=${value}`) : shellWord(`${key}:=${JSON.stringify(value)}`),
  );
  return ['acheron invoke', name, ...(items.length === 0 ? ["'{}'"] : items)].join(' ');
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function pairFrom(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must look like name=value.');
  return [text.slice(0, at), text.slice(at + 1)];
}

function headerFrom(text: string): readonly [string, string] {
  const [, name, value] = /^([^:\s]+)\s*:\s*(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('It must look like "Name: value".');
  return [name, value];
}

function jsonFrom(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new InvalidArgumentError('It must be JSON.');
  }
}

function authFrom(text: string): JsonObject {
  const [, type = '', name, source = ''] =
    /^(bearer|basic|header|query|cookie)(?::([^=]+))?=(.+)$/.exec(text) ?? [];
  const needsName = type !== 'bearer';
  if (source === '' || needsName !== (name !== undefined))
    throw new InvalidArgumentError(
      'It must look like bearer=VAR, basic:USER=VAR, header:NAME=VAR or query:NAME=VAR.',
    );
  const isFile = source.startsWith('@');
  const secret = (field: string): JsonObject =>
    isFile ? { [`${field}_file`]: resolve(source.slice(1)) } : { [`${field}_env`]: source };
  if (type === 'bearer') return { type, ...secret('token') };
  if (type === 'basic') return { type, username: name ?? '', ...secret('password') };
  return { type, name: name ?? '', ...secret('value') };
}

const isUrl = (word: string): boolean => /^https?:\/\//i.test(word);

const EXAMPLES = `
Examples:
  $ acheron add cmd disk -- df -h {payload.path}
  $ acheron add cmd shout --allow user -- tr a-z A-Z
  $ acheron add http zen GET https://api.github.com/zen
  $ acheron add http issues "https://api.github.com/repos/{payload.owner}/{payload.repo}/issues?state={payload.state}" --auth bearer=GITHUB_TOKEN
  $ acheron add mcp files -- npx -y @modelcontextprotocol/server-filesystem /srv/data`;
