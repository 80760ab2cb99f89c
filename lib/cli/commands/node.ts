import { resolve } from 'node:path';
import { Command } from 'commander';
import { prepareMountpoint } from '../../fuse/index.js';
import { withMadeDirs } from '../made-mountpoint.js';
import { inBackgroundOrHere } from '../background.js';
import { daemonName } from '../daemon-name.js';
import { addHealthOptions } from '../health-options.js';
import { addMountOptions, standaloneMountName } from '../mount-options.js';
import { addNodeOptions, defaultNodeId } from '../node-options.js';
import { logFormatOption, logLevelOption, option, stateDirOption } from '../options.js';
import { addLinkOptions } from '../link-options.js';
import type { LinkFlags } from '../run-linked-node.js';
import { addNodeListenOptions } from '../node-listener.js';
import { runStandalone, type Standalone, type StandaloneFlags } from '../standalone.js';
import { processLog, type LogFlags } from '../process-log.js';

type NodeCommandFlags = StandaloneFlags & LinkFlags & LogFlags & { readonly mount?: string };

export function nodeCommand(): Command {
  const command = new Command('node')
    .description(
      'Run a node: its services, until it is stopped. With --control-url others reach them through a control plane; with --listen they reach it without one; with --mount it shows them on a directory of its own.',
    )
    .addOption(option('--mount <dir>', 'where to mount').argParser((dir: string) => resolve(dir)))
    .addOption(stateDirOption())
    .addOption(logLevelOption())
    .addOption(logFormatOption());
  return addHealthOptions(addMountOptions(addNodeListenOptions(addLinkOptions(addNodeOptions(command)))))
    .addHelpText('after', EXAMPLES)
    .action((flags: NodeCommandFlags) => runNode(flags));
}

async function runNode(flags: NodeCommandFlags): Promise<void> {
  const nodeId = flags.nodeName ?? defaultNodeId();
  const made = flags.mount === undefined ? [] : (await prepareMountpoint(flags.mount)).made;
  const standalone: Standalone = {
    nodeId,
    servicesDirs: [],
    dir: flags.mount ?? null,
    mountName: standaloneMountName('node', flags),
    log: processLog(flags),
    ready: ({ nodeId: id, dir, listensAt }) => [
      dir === null ? `Node ${id} is running.` : `Node ${id} is mounted on ${dir}.`,
      ...(listensAt === null
        ? []
        : [
            `It listens on ${listensAt.url}.`,
            `Tokens: ${listensAt.stateDir}/admin.token, ${listensAt.stateDir}/user.token.`,
          ]),
    ],
  };
  const { controlUrl } = flags;
  const run = async (): Promise<void> => {
    if (controlUrl === undefined) return runStandalone(flags, standalone);
    const { runLinkedNode } = await import('../run-linked-node.js');
    return runLinkedNode({ ...flags, controlUrl }, standalone);
  };
  await withMadeDirs(made, () => inBackgroundOrHere(flags, daemonName('node', flags.stateFile), run));
}

const EXAMPLES = `
Examples:
  $ acheron node --services-dir ./services --mount ./mnt
  $ acheron node --node-name n1 --service-manifest ./echo.json --mount /srv/n1 --background
  $ acheron node --node-name n2 --services-dir ./services --control-url ws://127.0.0.1:18790 --pair-mode request
  $ acheron node --node-name n3 --services-dir ./services --listen 18791
`;
