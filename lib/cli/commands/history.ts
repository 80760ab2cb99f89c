import { Command } from 'commander';
import { ownValue, timestamp, type JsonObject } from '../../core/index.js';
import { jsonOption } from '../options.js';
import { printJson, printTable } from '../print.js';
import { versionsOf } from '../service-versions.js';
import { addAccessOptions, openTree, type AccessFlags } from '../tree-access.js';

type Flags = AccessFlags & { readonly json?: boolean };

export function historyCommand(): Command {
  const command = new Command('history')
    .description(
      'List what a service was: each change of its descriptor, and what was done to it, oldest first.',
    )
    .argument('<service>', 'a service: NODE/SERVICE, its name, or a path')
    .addOption(jsonOption());
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `
The numbers are those of its history/N.json and history/N.diff, and of acheron diff.

Examples:
  $ acheron history local/echo
  $ acheron history local/echo --json | jq -r '.[-1].fields[]'`,
    )
    .action((service: string, flags: Flags) => history(service, flags));
}

async function history(service: string, flags: Flags): Promise<void> {
  const tree = await openTree(flags);
  try {
    const { lines } = await versionsOf(tree, service);
    if (flags.json === true) await printJson(lines.map(({ document }) => document));
    else
      await printTable(
        ['N', 'WHEN', 'CHANGE', 'VERSION', 'FIELDS'],
        lines.map(({ n, document }) => [
          n,
          whenOf(document),
          textOf(document, 'change'),
          versionsIn(document),
          fieldsIn(document),
        ]),
      );
  } finally {
    await tree.close();
  }
}

function textOf(document: JsonObject, name: string): string | null {
  const value = ownValue(document, name);
  return typeof value === 'string' ? value : null;
}

function whenOf(document: JsonObject): string | null {
  const value = ownValue(document, 'timestamp_ms');
  return typeof value === 'number' ? timestamp(value) : null;
}

function versionsIn(document: JsonObject): string | null {
  const [before, after] = [textOf(document, 'previous_version'), textOf(document, 'version')];
  return before === null || after === null || before === after ? (after ?? before) : `${before} -> ${after}`;
}

function fieldsIn(document: JsonObject): string {
  const fields = ownValue(document, 'fields');
  return Array.isArray(fields)
    ? fields.map((field) => (field === '' ? '(all)' : String(field))).join(' ')
    : '';
}
