import { Command } from 'commander';
import { statSync } from 'node:fs';
import pc from 'picocolors';
import { isId } from '../../core/index.js';
import { faultText, shownFile } from '../fault-text.js';
import { writeError, writeOut, writeStyled } from '../write-out.js';
import { checkManifests, type CheckedManifest } from '../../registry/index.js';

interface ValidateOptions {
  json?: boolean;
  nodeId: string;
}

/** `acheron validate`: says all that is wrong with manifests. Exit 0: nothing; 1: faults; 2: not readable. */
export function validateCommand(): Command {
  return new Command('validate')
    .summary('say all that is wrong with service manifests')
    .description(
      'Checks manifests as a node would read them, and prints everything that is wrong as\nfile:line:column: message. A directory stands for its *.json.',
    )
    .argument('<files...>', 'manifests, or directories of manifests')
    .option('--json', 'print the outcome as JSON')
    .option('--node-id <id>', 'the id to put in the place of {node_id}', 'local')
    .addHelpText(
      'after',
      `
Exit status: 0 when all is well (warnings included), 1 when a manifest is faulty, 2 when a file cannot be found.

Examples:
  $ acheron validate manifests/services/*.json
  $ acheron validate --json ./services | jq '.files[] | select(.ok | not)'`,
    )
    .action(async (paths: string[], options: ValidateOptions, command: Command) => {
      if (!isId(options.nodeId))
        command.error(`error: --node-id ${JSON.stringify(options.nodeId)} is not a valid name`, {
          exitCode: 2,
        });
      const folders = paths.filter(isFolder);
      const checked = await checkManifests(
        { manifestFiles: paths.filter((path) => !folders.includes(path)), servicesDirs: folders },
        options.nodeId,
      );
      for (const { message, hint } of checked.folders) writeError(`${message} ${hint}\n`);
      const missing = checked.files.filter((file) => file.missing);
      for (const { file } of missing) writeError(`${shownFile(file)}: There is no such file.\n`);
      const files = checked.files.filter((file) => !file.missing);
      await (options.json === true ? writeOut(jsonFrom(files)) : writeStyled(textFrom(files)));
      if (missing.length > 0 || checked.folders.length > 0) process.exitCode = 2;
      else if (files.some((file) => file.faults.length > 0)) process.exitCode = 1;
    });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function jsonFrom(files: readonly CheckedManifest[]): string {
  const entries = files.map(({ file, definition, faults, warnings }) => ({
    file: shownFile(file),
    ok: faults.length === 0,
    service_id: definition?.serviceId ?? null,
    version: definition?.version ?? null,
    faults: faults.map((fault) => ({ ...fault, file: shownFile(file) })),
    warnings: warnings.map((fault) => ({ ...fault, file: shownFile(file) })),
  }));
  return `${JSON.stringify({ ok: entries.every(({ ok }) => ok), files: entries }, null, 2)}\n`;
}

function textFrom(files: readonly CheckedManifest[]): string {
  const lines = files.flatMap(({ reading, faults, warnings }) => [
    ...faults.map((fault) => faultText(fault, 'error', reading.excerpt(fault))),
    ...warnings.map((fault) => faultText(fault, 'warning')),
  ]);
  const faults = files.reduce((sum, file) => sum + file.faults.length, 0);
  const warnings = files.reduce((sum, file) => sum + file.warnings.length, 0);
  const total = [count(files.length, 'manifest'), count(faults, 'error'), count(warnings, 'warning')].join(
    ', ',
  );
  return [...lines, faults === 0 ? pc.green(total) : pc.red(total), ''].join('\n');
}

function count(amount: number, thing: string): string {
  return `${amount} ${thing}${amount === 1 ? '' : 's'}`;
}
