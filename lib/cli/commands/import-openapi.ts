import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { FsError, type JsonObject } from '../../core/index.js';
import { importOpenapi, readOpenapi, type ImportedOperation } from '../../openapi/index.js';
import { fetchHere, isHere } from '../fetch-here.js';
import { collect } from '../options.js';
import { plain, printJson, printLine, printNote } from '../print.js';
import { writeManifests } from '../write-manifests.js';

interface OpenapiFlags {
  readonly into: string;
  readonly only?: readonly string[];
  readonly prefix?: string;
  readonly server?: string;
  readonly allow?: readonly string[];
  readonly force?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
}

export function importOpenapiCommand(): Command {
  return new Command('openapi')
    .summary('manifests of the operations of an HTTP API')
    .description(
      'Reads the description of an HTTP API (OpenAPI 3.0 or 3.1, JSON or YAML), and writes a manifest for each operation. Secrets\nare named by variables of the environment, which it prints.',
    )
    .argument('<file>', 'the description: a file, or the URL of one on this machine')
    .option('--into <dir>', 'where to put the manifests', '.')
    .addOption(
      new Option(
        '--only <name>',
        'a tag, an operation id, or "GET /path" (repeatable); default: all',
      ).argParser(collect((text: string) => text)),
    )
    .option('--prefix <name>', "what the services' names begin with (default: of the API's title)")
    .option('--server <url>', 'the server to ask, in place of the one that is described')
    .addOption(
      new Option('--allow <role...>', 'who may use the services (default: admins)').choices([
        'admin',
        'user',
        'all',
      ]),
    )
    .option('--force', 'write over what is there')
    .option('--list', 'list the operations, and write nothing')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: OpenapiFlags) => importFrom(file, flags));
}

async function importFrom(file: string, flags: OpenapiFlags): Promise<void> {
  const { only, prefix, server, allow } = flags;
  const { document, base } = await documentFrom(file);
  const operations = importOpenapi(document, {
    ...(only === undefined ? {} : { only }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(server === undefined ? {} : { server }),
    ...(base === null ? {} : { base }),
    ...(allow === undefined ? {} : { allowRoles: allow }),
  });
  const folder = resolve(flags.into);
  const paths =
    flags.list === true
      ? []
      : writeManifests(
          folder,
          operations.map(({ manifest }) => manifest),
          { force: flags.force === true },
        );
  if (flags.json === true) return printJson(jsonFrom(operations, paths));
  for (const [at, { serviceId, manifest }] of operations.entries())
    await printLine(flags.list === true ? `${serviceId}  ${requestOf(manifest)}` : shown(paths[at] ?? ''));
  sayWhatElse(operations);
}

function requestOf({ runtime }: JsonObject): string {
  const { method, url } = runtime as JsonObject;
  return plain(`${method as string} ${url as string}`);
}

function jsonFrom(operations: readonly ImportedOperation[], paths: readonly string[]): unknown {
  return {
    services: operations.map(({ serviceId, notes, variables }, at) => ({
      service_id: serviceId,
      file: paths[at] === undefined ? null : shown(paths[at]),
      variables,
      left_out: notes,
    })),
  };
}

function sayWhatElse(operations: readonly ImportedOperation[]): void {
  for (const { serviceId, notes } of operations)
    if (notes.length > 0) printNote(`${serviceId}: left out ${plain(notes.join('; '))}`);
  const variables = [...new Set(operations.flatMap((operation) => operation.variables))].sort();
  if (variables.length > 0)
    printNote(`Before the node starts, put the secrets into its environment: ${variables.join(' ')}`);
}

const shown = (path: string): string => relative(process.cwd(), path) || path;

async function documentFrom(file: string): Promise<{ document: JsonObject; base: string | null }> {
  if (!/^https?:\/\//i.test(file)) return { document: await readOpenapi(resolve(file)), base: null };
  if (!isHere(file))
    throw new FsError('EACCES', `${file} is not on this machine.`, {
      hint: 'Fetch it first, and look at it: curl -o api.json URL.',
    });
  const folder = mkdtempSync(join(tmpdir(), 'acheron-openapi-'));
  try {
    const kept = join(folder, 'document.yaml');
    writeFileSync(kept, await fetchHere(file));
    return { document: await readOpenapi(kept), base: file };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const EXAMPLES = `
Examples:
  $ acheron import openapi petstore.yaml --list
  $ acheron import openapi petstore.yaml --only pets --into ./services
  $ acheron import openapi http://127.0.0.1:8000/openapi.json --only "GET /items" --allow user`;
