import { Command } from 'commander';
import { FsError } from '../../core/index.js';
import { durationMs } from '../duration.js';
import { collect, idArgument, option } from '../options.js';
import { addAccessOptions, openTree, type AccessFlags } from '../tree-access.js';
import { VERSION } from '../version.js';
import { writeError } from '../write-out.js';

interface McpFlags extends AccessFlags {
  readonly node?: string;
  readonly only?: readonly string[];
  readonly patience: number;
  readonly compact?: boolean;
}

/** Most clients give up after a minute. */
const PATIENCE_MS = 50_000;

export function mcpCommand(): Command {
  const command = new Command('mcp')
    .description(
      'Serve what you may invoke as tools of the Model Context Protocol, to the program at standard input and output.\nAgents start it; `acheron mcp` by itself waits for one.',
    )
    .addOption(option('--node <id>', 'the services of this node alone').argParser(idArgument))
    .addOption(
      option(
        '--only <service>',
        'this service alone, or node/service; * stands for any characters (repeatable)',
      ).argParser(collect((text) => text)),
    )
    .addOption(
      option(
        '--compact',
        'three tools that find, describe and call services, for large catalogs, in place of one for each',
      ),
    )
    .addOption(
      option('--patience <duration>', 'after which a call that still runs is answered with its job')
        .argParser(durationMs)
        .default(PATIENCE_MS, '50s'),
    );
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ acheron mcp
  $ acheron mcp --control-url ws://127.0.0.1:18790 --token-file agent.token --only 'text-*'`,
    )
    .action((flags: McpFlags) => serve(flags));
}

async function serve(flags: McpFlags): Promise<void> {
  const { McpSource, serveMcpStdio } = await import('../../mcp-server/index.js');
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const tree = await openTree(flags);
  const source = new McpSource(tree, {
    version: VERSION,
    patienceMs: flags.patience,
    node: flags.node,
    only: flags.only,
    compact: flags.compact === true,
  });
  try {
    const { stdin, stdout } = process;
    await serveMcpStdio(source, { stdin, stdout, stopping: stopping.signal }, (error) =>
      writeError(`acheron mcp: ${FsError.from(error).message}\n`),
    );
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    source.close();
    await tree.close();
  }
}
