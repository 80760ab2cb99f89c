import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { Command, Option } from 'commander';
import { mountArguments } from '../fstab-options.js';
import { EXIT, reportFailure } from '../failure.js';
import { mountCommand } from './mount.js';

/** Exit statuses of mount(8). */
const MOUNT_STATUS = { ok: 0, usage: 1, interrupted: 8, failed: 32 } as const;

interface HelperFlags {
  readonly o?: string;
  readonly sloppy?: boolean;
  readonly fake?: boolean;
}

export function mountHelperCommand(): Command {
  return (
    new Command('mount-helper')
      .description(
        'Mount as mount(8) asks for it, by /sbin/mount.acheron: it returns once the mount stands, and ends with the statuses that mount(8) has.',
      )
      .argument(
        '<source>',
        'the control plane, wss://plane.example:18790/; "acheron": the one that the config file names',
      )
      .argument('<dir>', 'where to mount')
      .addOption(
        new Option(
          '-o <options>',
          'long options of acheron mount, and those of mount(8), with commas between',
        ).argParser((text: string, before?: string) => (before === undefined ? text : `${before},${text}`)),
      )
      .option('-s, --sloppy', 'pass over options that are not known')
      .option('-f, --fake', 'check what is asked for, and mount nothing')
      // mount(8) may give these; they change nothing here.
      .addOption(new Option('-n').hideHelp())
      .addOption(new Option('-v').hideHelp())
      .addOption(new Option('-t <type>').hideHelp())
      .addOption(new Option('-N <namespace>').hideHelp())
      .addHelpText('after', EXAMPLES)
      .action(async (source: string, dir: string, flags: HelperFlags) => {
        process.exitCode = await help(source, dir, flags);
      })
  );
}

async function help(source: string, dir: string, flags: HelperFlags): Promise<number> {
  let args: string[];
  try {
    args = mountArguments({ source, dir, options: flags.o ?? '' }, mountCommand(), flags.sloppy);
  } catch (thrown) {
    reportFailure(thrown);
    return MOUNT_STATUS.usage;
  }
  if (flags.fake === true) return MOUNT_STATUS.ok;
  const program = process.argv.slice(1, 2);
  const child = spawn(process.execPath, [...process.execArgv, ...program, 'mount', ...args, '--background'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (signal === 'SIGINT' || signal === 'SIGTERM') return MOUNT_STATUS.interrupted;
  if (status === EXIT.ok) return MOUNT_STATUS.ok;
  return status === EXIT.usage ? MOUNT_STATUS.usage : MOUNT_STATUS.failed;
}

const EXAMPLES = `
Examples:
  $ mount -t acheron wss://plane.example:18790/ /srv/acheron -o token=/etc/acheron/token
  $ echo 'wss://plane.example:18790/ /srv/acheron acheron token=/etc/acheron/token,_netdev,x-systemd.automount,ro 0 0' >> /etc/fstab
`;
