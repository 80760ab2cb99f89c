import { resolve } from 'node:path';
import { Command } from 'commander';
import { backUpNode, restoreNode } from '../../node/index.js';
import { stateDirOption, stateFileOption } from '../options.js';
import { printNote } from '../print.js';
import { stateFileIn } from '../socket-path.js';
import { VERSION } from '../version.js';

interface StateFlags {
  readonly stateDir: string;
  readonly stateFile?: string;
}

const stateFileOf = ({ stateDir, stateFile }: StateFlags): string => stateFile ?? stateFileIn(stateDir);

/** `acheron backup`: the whole state of a node as one file. */
export function backupCommand(): Command {
  return new Command('backup')
    .description(
      'Write all that a node keeps into one file, also while it runs; what `acheron up` keeps, with its control plane.',
    )
    .argument(
      '<file>',
      'where to; replaced as a whole if it is there. It holds secrets: keep it as you keep those',
    )
    .addOption(stateDirOption())
    .addOption(stateFileOption())
    .addHelpText('after', BACKUP_EXAMPLES)
    .action(async (name: string, flags: StateFlags) => {
      const stateFile = stateFileOf(flags);
      const file = resolve(name);
      const { withControl } = await backUpNode(file, { stateFile, nowMs: Date.now(), release: VERSION });
      printNote(
        `The node${withControl ? ' and the control plane' : ''} of ${stateFile} ${withControl ? 'are' : 'is'} in ${file}.`,
      );
      printNote('Manifests, drivers and config files are not: they are yours.');
    });
}

/** `acheron restore`: what `backup` has written, as the state of a node. */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('Make the state of a node out of a backup. It must not run.')
    .argument('<file>', 'what `acheron backup` has written')
    .addOption(stateDirOption())
    .addOption(stateFileOption())
    .option('--replace', 'where there is state: move it aside, whole')
    .addHelpText('after', RESTORE_EXAMPLES)
    .action(async (name: string, flags: StateFlags & { readonly replace?: boolean }) => {
      const stateFile = stateFileOf(flags);
      const { replace = false } = flags;
      const restored = await restoreNode(resolve(name), { stateFile, nowMs: Date.now(), replace });
      const what = restored.withControl ? 'the node and its control plane' : 'the node';
      printNote(`${stateFile} has ${what} as of ${restored.madeAt}.`);
      if (restored.aside !== null) printNote(`What was there is in ${restored.aside}.`);
      if (restored.withControl)
        printNote('Tokens and nodes that were revoked or deleted since then are good again.');
      printNote('It is the same node: end the one that the backup was made of before this one starts.');
    });
}

const BACKUP_EXAMPLES = `
Examples:
  $ acheron backup /backup/node.tgz
  $ acheron backup /backup/n2.tgz --state-file /var/lib/acheron/n2.json
  $ tar -xOzf /backup/node.tgz meta.json`;

const RESTORE_EXAMPLES = `
Examples:
  $ acheron restore /backup/node.tgz
  $ acheron restore /backup/node.tgz --replace && acheron up ./mnt`;
