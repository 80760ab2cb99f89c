import { readlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import { basename } from 'node:path';
import { processIds, procNames, procText } from '../linux/index.js';

/** Of the kernel's times in /proc; it is the same on all that run Node. */
const TICKS_PER_S = 100;

/** A process as people know it: what it runs, its number, since when. */
export function describeProcess(pid: number): string {
  const began = beganAtMs(pid);
  const since = began === null ? '' : `, since ${new Date(began).toISOString()}`;
  return `${commandOf(pid)} (process ${pid}${since})`;
}

/** The program with the words behind it that come before any option, in which there may be secrets. */
function commandOf(pid: number): string {
  const words = procText(`/proc/${pid}/cmdline`).split('\0');
  const at = Math.max(
    0,
    words.findIndex((word) => /^acheron(?:\.js)?$/.test(basename(word))),
  );
  const [program = '', ...rest] = words.slice(at);
  const firstOption = rest.findIndex((word) => word === '' || word.startsWith('-'));
  const said = [basename(program, '.js'), ...rest.slice(0, firstOption < 0 ? undefined : firstOption)];
  return program === '' ? procText(`/proc/${pid}/comm`).trim() || 'a process' : said.slice(0, 3).join(' ');
}

function beganAtMs(pid: number): number | null {
  const stat = procText(`/proc/${pid}/stat`);
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  if (!Number.isFinite(ticks)) return null;
  return Math.round(Date.now() - (uptime() - ticks / TICKS_PER_S) * 1000);
}

/** The process that has that socket; null where there is none that this user may see. */
export function ownerOfSocket(inode: string): number | null {
  const link = `socket:[${inode}]`;
  for (const pid of processIds())
    for (const fd of procNames(`/proc/${pid}/fd`)) {
      try {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) === link) return pid;
      } catch {
        // It was closed meanwhile.
      }
    }
  return null;
}
