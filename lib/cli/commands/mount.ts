import { resolve } from 'node:path';
import { Command } from 'commander';
import { FsError, type Log, type MetricFamily } from '../../core/index.js';
import { prepareMountpoint } from '../../fuse/index.js';
import { withMadeDirs } from '../made-mountpoint.js';
import { RemoteTree, type TreeAddress } from '../../compose/index.js';
import { localSession } from '../../policy/index.js';
import { processMetrics, tracedTree, type HealthServer } from '../../telemetry/index.js';
import { inBackgroundOrHere, reportReady } from '../background.js';
import { daemonName } from '../daemon-name.js';
import { addHealthOptions, answerHealth, type HealthFlags } from '../health-options.js';
import {
  addKernelOptions,
  isFailedClose,
  mountNameFrom,
  mountTree,
  type KernelFlags,
} from '../mount-options.js';
import { integer, logFormatOption, logLevelOption, option, stateDirOption } from '../options.js';
import { addPlaneOptions, treeAddressFrom, type PlaneFlags } from '../plane-options.js';
import { reloadOnHangUp } from '../reload.js';
import { goOnUnlessStopped, stopAsked } from '../stop-asked.js';
import { telemetryFor } from '../telemetry.js';
import { serviceManager } from '../told-manager.js';
import { processLog, type LogFlags } from '../process-log.js';

type MountCommandFlags = KernelFlags &
  PlaneFlags &
  HealthFlags &
  LogFlags & {
    readonly stateDir: string;
    readonly connectTimeoutMs: number;
  };

export function mountCommand(): Command {
  const command = new Command('mount')
    .description(
      'Mount what a control plane shows the bearer of a token: all nodes that it may see, until Ctrl-C.',
    )
    .argument('<dir>', 'where to mount')
    .addOption(
      option('--connect-timeout-ms <ms>', 'how long to try to connect at first')
        .argParser(integer(1))
        .default(10_000),
    )
    .addOption(stateDirOption())
    .addOption(logLevelOption())
    .addOption(logFormatOption());
  return addHealthOptions(addKernelOptions(addPlaneOptions(command)))
    .addHelpText('after', EXAMPLES)
    .action((dir: string, flags: MountCommandFlags) => mount(resolve(dir), flags));
}

async function mount(dir: string, flags: MountCommandFlags): Promise<void> {
  const fsname = nameFrom(flags);
  const found = await prepareMountpoint(dir, { fsname });
  if (found.state === 'mounted') {
    reportReady([`${found.dir} is mounted already.`]);
    return;
  }
  await withMadeDirs(found.made, () =>
    inBackgroundOrHere(flags, daemonName('mount', found.dir), () => serve(dir, fsname, flags)),
  );
}

function addressFrom(flags: MountCommandFlags, log?: Log): TreeAddress {
  const { controlUrl } = flags;
  if (controlUrl === undefined)
    throw new FsError('EINVAL', 'It is not said which control plane to mount.', {
      hint: 'Give --control-url and --token-file; or mount this machine alone with acheron up.',
    });
  return treeAddressFrom({ ...flags, controlUrl }, log);
}

/** Equal for the same plane seen with the same tokens. */
function nameFrom(flags: MountCommandFlags): string {
  const { url, token, project } = addressFrom(flags);
  const rights = flags.readOnly === true ? ['read-only'] : [];
  return mountNameFrom('mount', [url, token, project?.id, project?.token, ...rights]);
}

async function serve(dir: string, fsname: string, flags: MountCommandFlags): Promise<void> {
  const { telemetry, log, tracer } = await telemetryFor('mount', dir, processLog(flags));
  const stop = stopAsked();
  const tree = new RemoteTree({ ...addressFrom(flags, log), keepsDescriptors: true });
  reloadOnHangUp(log, async () => {
    const { changed } = await tree.useToken(addressFrom(flags).token);
    if (changed) log.info('Another token counts from now on.');
  });
  const startedAtMs = Date.now();
  const metrics = (): MetricFamily[] => mountMetrics(tree, startedAtMs);
  try {
    const first = await Promise.race([stop, tree.start(flags.connectTimeoutMs)]);
    if (first !== undefined) goOnUnlessStopped();
    // The far side knows the session by the token, whatever is said here.
    const session = localSession('user', null, 'mount');
    const shown = tracer === null ? tree.vfs : tracedTree(tree.vfs, 'mount', tracer);
    telemetry?.measure(() => metrics());
    const mounted = await mountTree(shown, dir, flags, () => session, { fsname, log });
    let reason: unknown = null;
    let health: HealthServer | null = null;
    try {
      const notReady = (): string | null => (tree.connected ? null : 'the control plane is not connected');
      health = await answerHealth(flags, { notReady, metrics }, log);
      goOnUnlessStopped();
      tellOfConnection(tree, `Mounted on ${mounted.dir}.`);
      reportReady([
        `Mounted on ${mounted.dir}.`,
        `To stop: acheron unmount ${mounted.dir}`,
        ...(health === null ? [] : [`It says how it is at ${health.url}/metrics.`]),
      ]);
      reason = await Promise.race([stop, mounted.closed]);
    } finally {
      await health?.close();
      await mounted.unmount();
    }
    if (isFailedClose(reason)) throw reason.error;
  } finally {
    await tree.close();
    await telemetry?.close();
  }
}

/** The service manager shows whether the control plane is there. */
function tellOfConnection(tree: RemoteTree, ready: string): void {
  tree.states.on((state) => {
    if (state.state === 'open') serviceManager()?.status(ready);
    else if (state.state === 'backing-off')
      serviceManager()?.status(
        `${ready} There is no connection to the control plane: ${state.error.message}`,
      );
  });
}

/** What a mount says of itself; none of it names anything. */
function mountMetrics(tree: RemoteTree, startedAtMs: number): MetricFamily[] {
  return [
    {
      name: 'acheron_mount_connected',
      help: 'Whether the control plane is connected.',
      type: 'gauge',
      samples: [{ labels: {}, value: tree.connected ? 1 : 0 }],
    },
    {
      name: 'acheron_mount_connections_lost_total',
      help: 'How often the connection was lost.',
      type: 'counter',
      samples: [{ labels: {}, value: tree.losses }],
    },
    ...processMetrics(startedAtMs),
  ];
}

const EXAMPLES = `
Examples:
  $ acheron mount ./mnt --control-url ws://127.0.0.1:18790 --token-file user.token
  $ acheron mount /srv/plane --control-url wss://plane.example:18790 --token-file t --project p1 --background
`;
