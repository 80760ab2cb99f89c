import { accessSync, constants, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { programOnPath, type BindingName } from '../fuse/index.js';
import { finding, type Finding } from './finding.js';
import { diskSpace, limits, timeKept } from './machine.js';
import { mounts } from './mounts.js';
import { portUse } from './ports.js';
import { certificates, secretFiles } from './secrets.js';
import type { TryMountReport } from './try-mount-program.js';
import { tryMount } from './try-mount.js';

export interface DiagnoseOptions {
  readonly stateDir: string;
  readonly version: string;
  /** Where a control plane listens, or would. */
  readonly port: number;
  /** Files with secrets, and with certificates, that options name. */
  readonly secrets?: readonly string[];
  readonly certificates?: readonly string[];
}

export async function diagnose(options: DiagnoseOptions): Promise<Finding[]> {
  const { stateDir, version } = options;
  const byKernel = await tryMount('kernel');
  const bindings = [bindingOf('kernel', byKernel), bindingOf('fuse-native', await tryMount('fuse-native'))];
  return [
    versions(version),
    fuseDevice(),
    fusermount(),
    allowOther(),
    ...bindings,
    mounting(bindings),
    ...passthrough(byKernel),
    ...(await mounts()),
    stateFolder(stateDir),
    diskSpace(stateDir),
    damagedFiles(stateDir),
    ...secretFiles(stateDir, options.secrets ?? []),
    ...certificates(stateDir, options.certificates ?? []),
    ...portUse(options.port),
    driverUser(),
    ...limits(),
    clock(),
    ...timeKept(),
  ];
}

function versions(version: string): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return finding(
    'versions',
    ok ? 'fine' : 'broken',
    `Acheron ${version} on Node ${process.versions.node}.`,
    'Install Node 20.19 or later.',
  );
}

function fuseDevice(): Finding {
  if (!existsSync('/dev/fuse'))
    return finding(
      'device',
      'broken',
      'There is no /dev/fuse.',
      'Load the module: modprobe fuse. In a container, pass --device /dev/fuse.',
    );
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return finding('device', 'fine', '/dev/fuse can be opened.', null);
  } catch {
    return finding(
      'device',
      'note',
      '/dev/fuse cannot be opened by this user, nor by fusermount3 for this user.',
      'As root: chmod 666 /dev/fuse.',
    );
  }
}

function fusermount(): Finding {
  const found = programOnPath('fusermount3') ?? programOnPath('fusermount');
  if (found !== null) return finding('fusermount', 'fine', `${found} is there.`, null);
  const root = process.getuid?.() === 0;
  return finding(
    'fusermount',
    root ? 'note' : 'broken',
    'There is no fusermount3 on PATH.',
    'As root: apt-get install fuse3.',
  );
}

function allowOther(): Finding {
  const config = existsSync('/etc/fuse.conf') ? readFileSync('/etc/fuse.conf', 'utf8') : '';
  if (process.getuid?.() === 0 || /^\s*user_allow_other\s*$/m.test(config))
    return finding('allow-other', 'fine', '--allow-other may be used.', null);
  return finding(
    'allow-other',
    'note',
    '--allow-other is not available to this user.',
    'As root: add the line user_allow_other to /etc/fuse.conf.',
  );
}

/** Tried for real: permissions, modules and containers refuse in more ways than can be looked up. */
function bindingOf(name: BindingName, { failure }: TryMountReport): Finding {
  if (failure === null)
    return finding(`binding-${name}`, 'fine', `The ${name} binding mounts here, as was tried.`, null);
  return finding(
    `binding-${name}`,
    'note',
    `The ${name} binding cannot be used: ${failure.message}`,
    failure.hint,
  );
}

/** One of them is enough. */
function mounting(bindings: readonly Finding[]): Finding {
  if (bindings.some(({ state }) => state === 'fine'))
    return finding('mounting', 'fine', 'This user can mount.', null);
  return finding(
    'mounting',
    'broken',
    'This user cannot mount by any binding.',
    'Mend what is said of the kernel binding. acheron invoke, ls and cat need no mount.',
  );
}

function passthrough({ failure, whyThroughUs: why }: TryMountReport): Finding[] {
  if (failure !== null) return [];
  const by = 'files of exports that an admin opens in a mount of the node itself are read and written';
  return [
    why === null
      ? finding('passthrough', 'fine', `FUSE passthrough: ${by} by the kernel alone.`, null)
      : finding('passthrough', 'note', `No FUSE passthrough: ${by} through Acheron, since ${why}.`, null),
  ];
}

function stateFolder(stateDir: string): Finding {
  if (!existsSync(stateDir))
    return finding('state', 'fine', `The state directory ${stateDir} will be made on the first start.`, null);
  const { mode } = statSync(stateDir);
  if ((mode & 0o077) === 0)
    return finding('state', 'fine', `The state directory ${stateDir} is private.`, null);
  return finding(
    'state',
    'broken',
    `Other users can look into the state directory ${stateDir}.`,
    `chmod 700 ${stateDir}`,
  );
}

/** What was found damaged is kept aside until somebody has looked at it. */
function damagedFiles(stateDir: string): Finding {
  const kept = existsSync(stateDir)
    ? readdirSync(stateDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
        /\.damaged-[^/]+$/.test(name),
      )
    : [];
  if (kept.length === 0) return finding('damage', 'fine', 'No file of state was found damaged.', null);
  const named = kept.slice(0, 5).map((name) => join(stateDir, name));
  const more = kept.length > named.length ? ` and ${kept.length - named.length} more` : '';
  return finding(
    'damage',
    'broken',
    `Files of state were damaged, and are kept as they were found: ${named.join(', ')}${more}.`,
    'Check the disk, read the log of that start for what is affected, and remove these copies.',
  );
}

function driverUser(): Finding {
  if (process.getuid?.() !== 0 || process.env.ACHERON_DRIVER_USER !== undefined)
    return finding('driver-user', 'fine', 'Drivers do not run as root.', null);
  return finding(
    'driver-user',
    'note',
    'A node started by root runs drivers as root unless a user is set.',
    'Name a user with --driver-user or ACHERON_DRIVER_USER ("dynamic": one for each service).',
  );
}

/** A clock before the build of this program is certainly wrong: leases and certificates would fail. */
function clock(): Finding {
  const built = statSync(import.meta.filename).mtimeMs;
  if (Date.now() > built - 24 * 60 * 60 * 1000)
    return finding('clock', 'fine', `The clock says ${new Date().toISOString()}.`, null);
  return finding(
    'clock',
    'broken',
    `The clock says ${new Date().toISOString()}, which is before this program was built.`,
    'Set the clock: timedatectl set-ntp true.',
  );
}
