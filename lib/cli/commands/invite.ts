import { Command } from 'commander';
import { timestamp } from '../../core/index.js';
import { addControlOptions, authorityOf, withControl, type ControlFlags } from '../control-access.js';
import { durationMs } from '../duration.js';
import { jsonOption } from '../options.js';
import { printJson, printLine, printTable, printNote } from '../print.js';

type Flags = ControlFlags & { readonly json?: boolean };
type CreateFlags = Flags & { readonly ttl?: number };

export function inviteCommand(): Command {
  const command = new Command('invite')
    .description('Make and list invites: one token lets one machine become a node, once.')
    .addHelpText(
      'after',
      `
Examples:
  $ (umask 077; acheron invite create --ttl 15m > invite)
  $ acheron invite list`,
    );
  addControlOptions(
    command
      .command('create')
      .description('Make an invite, and print its token. It is shown this once.')
      .option('--ttl <time>', 'how long it is good, such as 90s, 15m, 2h', durationMs)
      .addOption(jsonOption()),
  )
    .addHelpText(
      'after',
      `
Example:
  $ (umask 077; acheron invite create --ttl 15m > invite)
  and on the machine that is to become a node:
  $ acheron node --control-url wss://plane.example:18790 --pair-mode invite --invite-token-file invite`,
    )
    .action((flags: CreateFlags, self: Command) =>
      withControl(self, flags, async ({ client, url }) => {
        const made = await client.request(
          'node_invite_create',
          flags.ttl === undefined ? {} : { ttl_ms: flags.ttl },
        );
        const ca = authorityOf(flags, url);
        if (flags.json === true) return printJson(ca === undefined ? made : { ...made, tls_ca: ca });
        printNote(
          `One machine may join with it until ${timestamp(made.expires_at_ms)}; it is not shown again. There:`,
        );
        printNote(
          `  acheron node --control-url ${url} --pair-mode invite --invite-token-file FILE --node-name NAME`,
        );
        await printLine(made.invite_token);
        // Whoever joins with it trusts this authority.
        if (ca !== undefined) await printLine(ca.trimEnd());
      }),
    );
  addControlOptions(
    command
      .command('list')
      .description('List the invites that are still good, without their secrets.')
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron invite list')
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { invites } = await client.requestAll('node_invite_list', {});
        invites.sort((one, other) => one.created_at_ms - other.created_at_ms);
        if (flags.json === true) return printJson(invites);
        await printTable(
          ['INVITE', 'PREFIX', 'MADE', 'GOOD UNTIL'],
          invites.map((one) => [
            one.invite_id,
            one.prefix,
            timestamp(one.created_at_ms),
            timestamp(one.expires_at_ms),
          ]),
        );
      }),
    );
  return command;
}
