import type { Command } from 'commander';
import { integer, option, secretOption } from './options.js';
import { controlUrlOption, tlsCaOption, tokenFileOption } from './plane-options.js';

/** Options of a node that belongs to a control plane. */
export function addLinkOptions(command: Command): Command {
  return command
    .addOption(controlUrlOption())
    .addOption(
      option('--pair-mode <mode>', 'how to become a node of the control plane').choices([
        'invite',
        'request',
      ]),
    )
    .addOption(
      secretOption('--invite-token <token>', 'the invite, as ACHERON_INVITE_TOKEN or in the config file'),
    )
    .addOption(option('--invite-token-file <file>', 'a file with the invite (else ACHERON_INVITE_TOKEN)'))
    .addOption(tokenFileOption())
    .addOption(tlsCaOption())
    .addOption(
      option('--lease-ttl-ms <ms>', 'after which silence the node counts as gone').argParser(integer(1)),
    )
    .addOption(option('--refresh-interval-ms <ms>', 'how often the lease is renewed').argParser(integer(1)))
    .addOption(
      option('--reconnect-backoff-ms <ms>', 'the shortest wait before connecting again').argParser(
        integer(1),
      ),
    )
    .addOption(
      option('--reconnect-backoff-max-ms <ms>', 'the longest wait before connecting again').argParser(
        integer(1),
      ),
    )
    .addOption(
      option('--max-remote-role <role>', 'what sessions of the control plane may be here at most')
        .choices(['admin', 'user'])
        .default('admin'),
    );
}
