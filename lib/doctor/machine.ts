import { existsSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { finding, type Finding } from './finding.js';
import { procText } from '../linux/index.js';

const MIB = 1024 * 1024;
/** Less, and calls are refused soon; a node and a control plane hold 2 MiB each in reserve. */
const LITTLE_BYTES = 64 * MIB;
const SPARE_BYTES = 1024 * MIB;
const SPARE_SHARE = 0.05;

/** Whether what is kept has room to grow. */
export function diskSpace(stateDir: string): Finding {
  let dir = stateDir;
  while (!existsSync(dir)) dir = dirname(dir);
  const { bavail, blocks, bsize, files, ffree } = statfsSync(dir);
  const free = bavail * bsize;
  const share = blocks === 0 ? 1 : bavail / blocks;
  const names = files === 0 ? 1 : ffree / files;
  const what = `The disk of ${stateDir} has ${Math.floor(free / MIB)} MiB (${Math.floor(share * 100)} %) free`;
  const remedy = 'Make room there, lower --jobs-keep-bytes, or give a --state-dir on another disk.';
  if (free < LITTLE_BYTES || names < 0.001)
    return finding(
      'disk',
      'broken',
      `${what}${names < 0.001 ? ', and no room for more files' : ''}.`,
      remedy,
    );
  return finding('disk', free < SPARE_BYTES && share < SPARE_SHARE ? 'note' : 'fine', `${what}.`, remedy);
}

const ENOUGH_FILES = 4096;
const ENOUGH_WATCHES = 8192;
const ENOUGH_INSTANCES = 64;

/** What the system lets one process, and one user, have. Not known, and not said, without /proc (macOS). */
export function limits(): Finding[] {
  const findings: Finding[] = [];
  const [, hard] = /^Max open files +\S+ +(\S+)/m.exec(procText('/proc/self/limits')) ?? [];
  if (hard !== undefined) {
    const few = hard !== 'unlimited' && Number(hard) < ENOUGH_FILES;
    findings.push(
      finding(
        'open-files',
        few ? 'note' : 'fine',
        `A process may have ${hard} files open.`,
        `Raise it to ${ENOUGH_FILES} or more: LimitNOFILE= in a unit, ulimit -n or /etc/security/limits.conf elsewhere.`,
      ),
    );
  }
  const [watches, instances] = ['max_user_watches', 'max_user_instances'].map((name) =>
    Number(procText(`/proc/sys/fs/inotify/${name}`) || NaN),
  ) as [number, number];
  if (Number.isNaN(watches) || Number.isNaN(instances)) return findings;
  const few = watches < ENOUGH_WATCHES || instances < ENOUGH_INSTANCES;
  findings.push(
    finding(
      'watches',
      few ? 'note' : 'fine',
      `A user may watch ${watches} files, in ${instances} places at once (inotify).`,
      'Manifests are read again every 2 s meanwhile. As root: sysctl fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512',
    ),
  );
  return findings;
}

/** What adjtimex(2) answers where nothing keeps the clock. */
const TIME_ERROR = 5;
const TIMEX_BYTES = 256;

/** Whether the kernel was told that its clock is right; nothing is said where that cannot be known. */
export function timeKept(platform = process.platform): Finding[] {
  if (platform !== 'linux') return [];
  let answer: number;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const adjtimex = koffi.load(null).func('int adjtimex(void *)');
    answer = adjtimex(Buffer.alloc(TIMEX_BYTES)) as number;
  } catch {
    return [];
  }
  if (answer < 0) return [];
  return [
    answer === TIME_ERROR
      ? finding(
          'time-kept',
          'note',
          'No time server keeps the clock of this machine, as the kernel was told.',
          'timedatectl set-ntp true, or install chrony. In a virtual machine its host may keep it.',
        )
      : finding('time-kept', 'fine', 'A time server keeps the clock of this machine.'),
  ];
}
