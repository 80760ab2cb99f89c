import { resolve } from 'node:path';
import { Command } from 'commander';
import { backUpControl, restoreControl } from '../../control/index.js';
import { stateDirOption } from '../options.js';
import { printNote } from '../print.js';
import { VERSION } from '../version.js';

interface StateFlags {
  readonly stateDir: string;
}

/** `acheron control backup`: the whole state of a control plane as one file. */
export function backupCommand(): Command {
  return new Command('backup')
    .description('Write all that the control plane knows into one file, also while it runs.')
    .argument(
      '<file>',
      'where to; replaced as a whole if it is there. It holds tokens: keep it as you keep those',
    )
    .addOption(stateDirOption())
    .addHelpText('after', BACKUP_EXAMPLES)
    .action(async (name: string, { stateDir }: StateFlags) => {
      const file = resolve(name);
      await backUpControl(stateDir, file, { release: VERSION, nowMs: Date.now() });
      printNote(`The control plane of ${stateDir} is in ${file}.`);
    });
}

/** `acheron control restore`: what `backup` has written, as the state of a control plane. */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('Make the state of a control plane out of a backup. It must not run.')
    .argument('<file>', 'what `acheron control backup` has written')
    .addOption(stateDirOption())
    .option('--replace', 'where there is a control plane: move it aside, whole')
    .addHelpText('after', RESTORE_EXAMPLES)
    .action(
      async (name: string, { stateDir, replace = false }: StateFlags & { readonly replace?: boolean }) => {
        const restored = await restoreControl(stateDir, resolve(name), { replace, nowMs: Date.now() });
        printNote(`${stateDir} has the control plane as it was at ${restored.madeAt}.`);
        if (restored.aside !== null) printNote(`What was there is in ${restored.aside}.`);
        printNote('Tokens and nodes that were revoked or deleted since then are good again.');
      },
    );
}

const BACKUP_EXAMPLES = `
Examples:
  $ acheron control backup /backup/plane.tgz
  $ tar -xOzf /backup/plane.tgz meta.json`;

const RESTORE_EXAMPLES = `
Examples:
  $ acheron control restore /backup/plane.tgz --state-dir /var/lib/acheron
  $ acheron control restore /backup/plane.tgz --replace && acheron control`;
