import { Command } from 'commander';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { idArgument, jsonOption } from '../options.js';
import { printJson, printLine, printNote } from '../print.js';

type Flags = ControlFlags & { readonly json?: boolean };

/** `acheron project token …` */
export function projectTokenCommand(): Command {
  const command = new Command('token')
    .description('Rotate or revoke the token of a project.')
    .addHelpText('after', '\nExample:\n  $ (umask 077; acheron project token rotate web > web.token)');
  addControlOptions(
    command
      .command('rotate')
      .description('Give the project a new token, and print it. Proofs of the old one end.')
      .argument('<project>', 'its id', idArgument)
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ (umask 077; acheron project token rotate web > web.token)')
    .action((id: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const made = await client.request('project_token_rotate', { project_id: id });
        if (flags.json === true) return printJson(made);
        printNote(`The new token of project ${id}; it is not shown again.`);
        await printLine(made.project_token ?? '');
      }),
    );
  addControlOptions(
    command
      .command('revoke')
      .description('Leave the project without a token.')
      .argument('<project>', 'its id', idArgument)
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron project token revoke web')
    .action((id: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const reply = await client.request('project_token_revoke', { project_id: id });
        await (flags.json === true ? printJson(reply) : printLine(`Project ${id} has no token any more.`));
      }),
    );
  return command;
}
