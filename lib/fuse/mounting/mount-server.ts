import { readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { processIds, procNames, procText } from '../../linux/index.js';
import type { MountEntry } from './mountinfo.js';

/** The source that the table of mounts shows for a mount that this process serves. */
export function sourceWithServer(fsname: string): string {
  return `${fsname}:${process.pid}`;
}

/** Whether the entry is of a mount of that name, by any server. */
export function bearsName({ source }: MountEntry, fsname: string): boolean {
  return (
    source === fsname || (source.startsWith(`${fsname}:`) && /^\d+$/.test(source.slice(fsname.length + 1)))
  );
}

/** The process that serves the mount; null where it is gone, or another user's. */
export function serverOf({ source, ownerUid }: MountEntry): number | null {
  const named = /^acheron:\w+:[0-9a-f]+:(\d+)$/.exec(source)?.[1];
  if (named === undefined) return null;
  const pid = Number(named);
  try {
    // The number may be another process's by now, or a lie of the user who mounted.
    if (statSync(`/proc/${pid}`).uid !== ownerUid) return null;
    return linksOf(pid, 'fd').includes('/dev/fuse') ? pid : null;
  } catch {
    // The mount ended, or its process cannot be looked at: nothing is known of it.
    return null;
  }
}

/** A process that is in a mount, as far as this user may see. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
  readonly how: 'works in it' | 'has a file open in it';
}

/** The processes that keep the mount on `dir` from being taken off. Touches no mount, so none can hang it. */
export function holdersOf(dir: string): Holder[] {
  const isIn = (path: string): boolean => path === dir || path.startsWith(`${dir}/`);
  const holders: Holder[] = [];
  for (const pid of processIds()) {
    if (pid === process.pid) continue;
    const works = linksOf(pid, '').some(isIn);
    if (!works && !linksOf(pid, 'fd').some(isIn)) continue;
    holders.push({ pid, name: nameOf(pid), how: works ? 'works in it' : 'has a file open in it' });
  }
  return holders;
}

/** Where the links of a process lead: of its descriptors, or its working and root directory. */
function linksOf(pid: number, kind: 'fd' | ''): string[] {
  const dir = `/proc/${pid}`;
  const links =
    kind === 'fd' ? procNames(`${dir}/fd`).map((fd) => `${dir}/fd/${fd}`) : [`${dir}/cwd`, `${dir}/root`];
  return links.flatMap((link) => {
    try {
      return [readlinkSync(link)];
    } catch {
      return [];
    }
  });
}

/** Where it has ended, or belongs to another user, nothing is known of it. */
const nameOf = (pid: number): string => basename(procText(`/proc/${pid}/comm`).trim()) || 'a process';
