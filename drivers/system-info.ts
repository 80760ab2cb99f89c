#!/usr/bin/env node
// What this machine is and how it is doing. {"facts": ["cpu", "load"]} asks for some, {} for all.
// Nothing here shows who works on the machine: no users, no addresses, no process names.
import { readFile, statfs } from 'node:fs/promises';
import {
  arch,
  availableParallelism,
  cpus,
  freemem,
  hostname,
  loadavg,
  platform,
  release,
  totalmem,
  uptime,
} from 'node:os';
import { PayloadError, readPayload, runDriver } from './payload.js';

const FACTS = new Map<string, () => unknown>([
  ['os', osFacts],
  ['cpu', cpuFacts],
  ['memory', () => ({ total_bytes: totalmem(), available_bytes: freemem() })],
  ['disks', diskFacts],
  ['load', loadFacts],
  ['uptime', () => ({ uptime_seconds: Math.round(uptime()) })],
]);

await runDriver('system-info', async () => {
  const wanted = factsWanted(readPayload());
  const answers = await Promise.all(wanted.map(async (name) => [name, await FACTS.get(name)?.()] as const));
  const result = { taken_at: new Date().toISOString(), ...Object.fromEntries(answers) };
  process.stdout.write(`${JSON.stringify(result)}\n`);
});

function factsWanted(payload: Record<string, unknown>): string[] {
  const facts = Object.hasOwn(payload, 'facts') ? payload['facts'] : [...FACTS.keys()];
  if (!Array.isArray(facts)) throw new PayloadError('"facts" must be an array of names');
  const unknown = facts.find((name) => typeof name !== 'string' || !FACTS.has(name)) as unknown;
  if (unknown !== undefined)
    throw new PayloadError(
      `there is no fact ${JSON.stringify(unknown)}; there are ${[...FACTS.keys()].join(', ')}`,
    );
  return facts as string[];
}

async function osFacts(): Promise<unknown> {
  const distribution = await readFile('/etc/os-release', 'utf8').then(
    (text) => /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? null,
    () => null,
  );
  return {
    hostname: hostname(),
    platform: platform(),
    distribution,
    kernel: release(),
    architecture: arch(),
  };
}

function cpuFacts(): unknown {
  const all = cpus();
  return {
    model: all[0]?.model.trim() ?? null,
    cores: all.length,
    usable_cores: availableParallelism(),
    speed_mhz: all[0]?.speed ?? null,
  };
}

function loadFacts(): unknown {
  const [one = 0, five = 0, fifteen = 0] = loadavg().map((load) => Math.round(load * 100) / 100);
  return { one_minute: one, five_minutes: five, fifteen_minutes: fifteen, per_core: one / cpus().length };
}

interface Disk {
  mounted_at: string;
  filesystem: string | null;
  total_bytes: number;
  free_bytes: number;
  used_percent: number;
}

/**
 * The root and what is mounted from a local block device. Network and FUSE filesystems are left out:
 * asking one whose server is gone would hang, and one of them may be waiting for this very answer.
 */
async function diskFacts(): Promise<Disk[]> {
  const table = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const disks = new Map<string, { filesystem: string | null; device: string }>([
    ['/', { filesystem: null, device: '/' }],
  ]);
  for (const line of table.split('\n')) {
    const [device = '', at = '', filesystem = ''] = line.split(' ').map(unescapeOctal);
    const seen = [...disks.values()].some((disk) => disk.device === device);
    if (at === '/' || (device.startsWith('/dev/') && !filesystem.startsWith('fuse') && !seen))
      disks.set(at, { filesystem, device });
  }
  const found = await Promise.all(
    [...disks].map(async ([at, { filesystem }]): Promise<Disk | null> => {
      const space = await statfs(at).catch(() => null);
      if (space === null || space.blocks === 0) return null;
      return {
        mounted_at: at,
        filesystem,
        total_bytes: space.blocks * space.bsize,
        free_bytes: space.bavail * space.bsize,
        used_percent: Math.round((1 - space.bavail / space.blocks) * 1000) / 10,
      };
    }),
  );
  return found.filter((disk) => disk !== null);
}

/** /proc/self/mounts writes a space, tab, newline or backslash in a path as `\040` and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
