import { join } from 'node:path';
import { Command } from 'commander';
import { consoleAddress } from '../../control/client/index.js';
import { reasonOf, timestamp } from '../../core/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { openInBrowser } from '../open-in-browser.js';
import { jsonOption } from '../options.js';
import { printJson, printLine, printNote } from '../print.js';

interface Flags extends ControlFlags {
  readonly role?: 'user';
  readonly json?: boolean;
  readonly open: boolean;
}

export function consoleCommand(): Command {
  const command = new Command('console').description(
    "Print a link that opens the control plane's web console, once and within a minute, with the rights of your token;\nwhere there is a desktop, it is opened as well.",
  );
  return addControlOptions(
    command
      .addOption(command.createOption('--role <role>', "a user's rights alone").choices(['user']))
      .option('--no-open', 'print it alone')
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExamples:\n  $ acheron console\n  $ acheron console --role user --no-open')
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const asked = await client.request(
          'console_link_create',
          flags.role === undefined ? {} : { role: flags.role },
        );
        const link = consoleAddress(client.url, asked.code);
        if (flags.json === true) return printJson({ url: link, expires_at: timestamp(asked.expires_at_ms) });
        await printLine(link);
        if (!flags.open || !process.stdout.isTTY) return;
        try {
          await openInBrowser(link, join(flags.stateDir, 'console.html'));
        } catch (thrown) {
          printNote(`No browser was opened: ${reasonOf(thrown)}.`);
        }
      }),
    );
}
