import { resolve } from 'node:path';
import { Command } from 'commander';
import { prepareMountpoint } from '../../fuse/index.js';
import { inBackgroundOrHere } from '../background.js';
import { addMountOptions, type MountFlags } from '../mount-options.js';
import { addNodeOptions, defaultNodeId, type NodeFlags } from '../node-options.js';
import { logLevelOption, option, stateDirOption } from '../options.js';
import { runStandalone } from '../standalone.js';
import { textLog, type LogLevel } from '../text-log.js';

type NodeCommandFlags = NodeFlags & MountFlags & { readonly logLevel: LogLevel; readonly mount?: string };

export function nodeCommand(): Command {
  const command = new Command('node')
    .description(
      'Run a node: its services, until it is stopped. With --mount it shows them on a directory of its own.',
    )
    .addOption(option('--mount <dir>', 'where to mount').argParser((dir: string) => resolve(dir)))
    .addOption(stateDirOption())
    .addOption(logLevelOption());
  return addMountOptions(addNodeOptions(command))
    .addHelpText('after', EXAMPLES)
    .action((flags: NodeCommandFlags) => runNode(flags));
}

async function runNode(flags: NodeCommandFlags): Promise<void> {
  const nodeId = flags.nodeName ?? defaultNodeId();
  if (flags.mount !== undefined) await prepareMountpoint(flags.mount);
  await inBackgroundOrHere(flags, () =>
    runStandalone(flags, {
      nodeId,
      servicesDirs: [],
      dir: flags.mount ?? null,
      log: textLog(flags.logLevel),
      ready: (dir) => [dir === null ? `Node ${nodeId} is running.` : `Node ${nodeId} is mounted on ${dir}.`],
    }),
  );
}

const EXAMPLES = `
Examples:
  $ acheron node --services-dir ./services --mount ./mnt
  $ acheron node --node-name n1 --service-manifest ./echo.json --mount /srv/n1 --background
`;
