import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { FsError } from '../../core/index.js';
import { makeDirs } from '../../linux/index.js';
import { serversFromSettings, type ImportedServer } from '../imports/mcp-servers.js';
import { importOpenapiCommand } from './import-openapi.js';
import { printJson, printLine, printNote } from '../print.js';

interface ImportFlags {
  readonly into: string;
  readonly allow?: readonly string[];
  readonly force?: boolean;
  readonly json?: boolean;
}

export function importCommand(): Command {
  const command = new Command('import')
    .description('Write manifests from what other programs have.')
    .addHelpText('after', EXAMPLES);
  command
    .command('mcp')
    .summary('manifests of the MCP servers in the settings of a desktop client')
    .description(
      'Reads "mcpServers" (or "servers") from the settings of a client, and writes a manifest for each server. What the\nsettings have as env and headers goes to a file of its own, mode 0600, which the manifest names.',
    )
    .argument('<file>', 'the settings')
    .option('--into <dir>', 'where to put the manifests', '.')
    .addOption(
      new Option('--allow <role...>', 'who may use what they offer (default: admins)').choices([
        'admin',
        'user',
        'all',
      ]),
    )
    .option('--force', 'write over what is there')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: ImportFlags) => importMcp(file, flags));
  command.addCommand(importOpenapiCommand());
  return command;
}

async function importMcp(
  file: string,
  { into, allow = [], force = false, json = false }: ImportFlags,
): Promise<void> {
  const folder = resolve(into);
  const servers = serversFromSettings(readSettings(file), { allow, env: process.env });
  const files = servers.flatMap(filesOf).map(({ name, ...more }) => ({ ...more, path: join(folder, name) }));
  if (!force) for (const { path } of files) refuseToOverwrite(path);
  try {
    makeDirs(folder, 0o755);
    for (const { path, text, mode } of files) {
      writeFileSync(path, text, { mode, flag: force ? 'w' : 'wx' });
      chmodSync(path, mode);
    }
  } catch (thrown) {
    throw FsError.from(thrown);
  }
  const shown = files.map(({ path, isSecret }) => ({
    path: relative(process.cwd(), path),
    is_secret: isSecret,
  }));
  const notes = servers.flatMap((server) => server.notes);
  if (json) return printJson({ services: servers.map(({ serviceId }) => serviceId), files: shown, notes });
  for (const { path, is_secret } of shown) await printLine(is_secret ? `${path} (secrets, mode 0600)` : path);
  for (const note of notes) printNote(note);
}

function filesOf({ serviceId, manifest, secrets }: ImportedServer) {
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  return [
    { name: `${serviceId}.json`, text, mode: 0o644, isSecret: false },
    ...(secrets === null ? [] : [{ name: `${serviceId}.env`, text: secrets, mode: 0o600, isSecret: true }]),
  ];
}

function readSettings(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw FsError.from(thrown);
  }
}

function refuseToOverwrite(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new FsError('EEXIST', `${path} exists already. Nothing was written.`, {
    hint: 'Choose another folder with --into, or write over it with --force.',
    path,
  });
}

const EXAMPLES = `
Examples:
  $ acheron import mcp ~/.config/Claude/claude_desktop_config.json --into ~/services
  $ acheron import mcp .mcp.json --into ./services --allow user && acheron validate ./services`;
