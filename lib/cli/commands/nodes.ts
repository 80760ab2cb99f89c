import { Command } from 'commander';
import { timestamp } from '../../core/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { idArgument, jsonOption } from '../options.js';
import { plain, plainFacts, printJson, printLine, printTable } from '../print.js';

type Flags = ControlFlags & { readonly json?: boolean };

export function nodesCommand(): Command {
  const command = new Command('nodes').description('List, look at and delete nodes.').addHelpText(
    'after',
    `
Examples:
  $ acheron nodes list
  $ acheron nodes get lab
  $ acheron nodes delete lab`,
  );
  addControlOptions(
    command.command('list').description('List the nodes that you may see.').addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron nodes list --json')
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { nodes } = await client.requestAll('node_list', {});
        if (flags.json === true) return printJson(nodes);
        await printTable(
          ['NODE', 'STATE', 'SERVICES', 'LAST SEEN', 'LABELS'],
          nodes.map((node) => [
            node.node_id,
            node.state,
            node.services,
            timestamp(node.last_seen_ms),
            plainFacts(node.labels),
          ]),
        );
      }),
    );
  addControlOptions(
    command
      .command('get')
      .description('Show a node and its services.')
      .argument('<node>', 'its id', idArgument)
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron nodes get lab')
    .action((nodeId: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const node = await client.request('node_get', { node_id: nodeId });
        const { index } = await client.requestAll('node_service_get', { node_id: nodeId });
        if (flags.json === true) return printJson({ ...node, services: index });
        await printLine(
          [
            `${node.node_id}: ${node.state}`,
            `platform: ${plain(plainFacts(node.platform))}`,
            `labels: ${plain(plainFacts(node.labels))}`,
            `joined: ${timestamp(node.joined_at_ms)}`,
            `last seen: ${timestamp(node.last_seen_ms)}`,
            '',
          ].join('\n'),
        );
        await printTable(
          ['SERVICE', 'KIND', 'STATE', 'INVOKE', 'SUMMARY'],
          index.map((one) => [
            one.service_id,
            one.kind,
            one.state,
            one.has_invoke ? 'yes' : 'no',
            one.summary,
          ]),
        );
      }),
    );
  addControlOptions(
    command
      .command('delete')
      .description(
        'Forget a node, its services and its secrets, and cut its tunnel. It must be paired again to come back.',
      )
      .argument('<node>', 'its id', idArgument)
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron nodes delete lab')
    .action((nodeId: string, flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const reply = await client.request('node_delete', { node_id: nodeId });
        await (flags.json === true ? printJson(reply) : printLine(`Node ${nodeId} is forgotten.`));
      }),
    );
  return command;
}
