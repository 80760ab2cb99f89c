import { finding, type Finding } from './finding.js';
import { procText } from '../linux/index.js';
import { describeProcess, ownerOfSocket } from './processes.js';

const LISTENS = '0A';

/** Who listens on a port of this machine. Nothing is said where the system does not tell (macOS). */
export function portUse(port: number): Finding[] {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(procText);
  if (tables.every((table) => table === '')) return [];
  const inode = tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .find(
      ([, local, , state]) => state === LISTENS && Number.parseInt(local?.split(':')[1] ?? '', 16) === port,
    )?.[9];
  if (inode === undefined) return [finding('port', 'fine', `Port ${port} is free.`)];
  const pid = ownerOfSocket(inode);
  const who = pid === null ? "another user's process" : describeProcess(pid);
  const isOurs = who.startsWith('acheron ');
  return [
    finding(
      'port',
      isOurs ? 'fine' : 'note',
      `Port ${port} is taken by ${who}.`,
      'acheron up takes another; acheron control needs --port with a free one, and clients --control-url with that.',
    ),
  ];
}
