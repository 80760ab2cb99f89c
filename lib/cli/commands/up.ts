import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { prepareMountpoint } from '../../fuse/index.js';
import { withMadeDirs } from '../made-mountpoint.js';
import { inBackgroundOrHere, reportReady } from '../background.js';
import { daemonName } from '../daemon-name.js';
import { addHealthOptions, type HealthFlags } from '../health-options.js';
import { addMountOptions, standaloneMountName, type MountFlags } from '../mount-options.js';
import { addNodeOptions, type NodeFlags } from '../node-options.js';
import {
  logFormatOption,
  logLevelOption,
  noConsoleOption,
  option,
  stateDirOption,
  port,
} from '../options.js';
import { checkPortIsFree, runEmbeddedControlPlane, type BesideFlags } from '../embedded-control-plane.js';
import { runStandalone } from '../standalone.js';
import { processLog, type LogFlags } from '../process-log.js';
import { PACKAGE_DIR } from '../version.js';

type UpFlags = NodeFlags &
  MountFlags &
  HealthFlags &
  BesideFlags &
  LogFlags & { readonly bundled: boolean; readonly control: boolean };

export function upCommand(): Command {
  const command = new Command('up')
    .description(
      "Mount this machine's services on a directory, and run a control plane that other machines and mounts may\njoin: all in one process, until Ctrl-C.",
    )
    .argument('[dir]', 'where to mount', './mnt')
    .addOption(stateDirOption())
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .addOption(
      option(
        '--port <port>',
        'where the control plane listens, and must be free; 0 picks one (default: 18790, or another where that is taken)',
      ).argParser(port),
    )
    .addOption(
      option(
        '--no-control',
        'without a control plane: this machine and this mount alone; so it is with --role user',
      ),
    )
    .addOption(noConsoleOption())
    .addOption(
      option(
        '--console-link',
        'be ready only once the control plane is, and say last where its web console is: a link that is good once, for a minute',
      ),
    )
    .addOption(option('--no-bundled', 'leave out the bundled services'));
  return addHealthOptions(addMountOptions(addNodeOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action((dir: string, flags: UpFlags) => up(resolve(dir), flags));
}

async function up(dir: string, flags: UpFlags): Promise<void> {
  const nodeId = flags.nodeName ?? 'local';
  const fsname = standaloneMountName('up', flags);
  const found = await prepareMountpoint(dir, { fsname });
  if (found.state === 'mounted') {
    reportReady([`${found.dir} is mounted already.`, ...whatToType(found.dir, nodeId, flags.bundled)]);
    return;
  }
  const log = processLog(flags);
  const hasPlane = flags.control && flags.role === 'admin';
  // With a link to the console, all is said at once, when there is one.
  const waits = hasPlane && flags.consoleLink === true;
  const said: string[] = [];
  const run = async (): Promise<void> => {
    if (hasPlane) await checkPortIsFree(flags.port);
    await runStandalone(flags, {
      nodeId,
      servicesDirs: flags.bundled ? [join(PACKAGE_DIR, 'manifests', 'services')] : [],
      dir,
      mountName: fsname,
      log,
      ...(hasPlane
        ? {
            beside: (node, world, stopping) =>
              runEmbeddedControlPlane(flags, {
                ...{ node, world, stopping, log },
                say: (lines, consoleLink) => {
                  const link =
                    consoleLink === null ? [] : ['The console (a link for once, for a minute):', consoleLink];
                  if (waits || lines.length > 0) reportReady([...said, ...lines, ...link]);
                },
              }),
          }
        : {}),
      ready: ({ dir: mounted }) => {
        const lines = [`Mounted on ${mounted}.`, ...whatToType(mounted ?? dir, nodeId, flags.bundled)];
        if (!waits) return lines;
        said.push(...lines);
        return null;
      },
    });
  };
  await withMadeDirs(found.made, () => inBackgroundOrHere(flags, daemonName('up'), run));
}

/** Lines to paste: list, and where the bundled echo is there invoke, read, watch a failure. */
function whatToType(dir: string, nodeId: string, hasEcho: boolean): string[] {
  const services = `${dir}/nodes/${nodeId}/services`;
  return [
    'Try:',
    `  cat ${dir}/nodes/INDEX.tsv`,
    ...(hasEcho
      ? [
          `  echo '{"text":"hi"}' > ${services}/echo/control/invoke.json`,
          `  cat ${services}/echo/result.json`,
          `  echo '{"text": oops}' > ${services}/echo/control/invoke.json || cat ${services}/echo/last_error.txt`,
        ]
      : [`  ls ${services}`]),
    `To stop: acheron unmount ${dir}`,
  ];
}

const EXAMPLES = `
Examples:
  $ acheron up ./mnt
  $ acheron up ./mnt --background
  $ acheron up ./mnt --role user --agent claude --services-dir ./services
`;
