import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processIds, procNames, procText } from '../linux/index.js';

const LOOK_MS = 25;

/** When the process began, in the kernel's ticks: with the pid it names one process for ever. Null: it is gone. */
function beganAt(pid: number): string | null {
  const fields = procText(`/proc/${pid}/stat`);
  const after = fields.slice(fields.lastIndexOf(')') + 2).split(' ');
  return after[0] === 'Z' ? null : (after[19] ?? null);
}

/** One running process. */
export class RunningProcess {
  readonly pid: number;
  readonly #began: string | null;

  constructor(pid: number) {
    this.pid = pid;
    this.#began = beganAt(pid);
  }

  get isRunning(): boolean {
    return this.#began !== null && beganAt(this.pid) === this.#began;
  }

  /** Whether it has ended within that time. */
  async endsWithin(ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (this.isRunning) {
      if (performance.now() >= deadline) return false;
      await delay(LOOK_MS);
    }
    return true;
  }

  /** Asks it to end, and says whether it did so in time. @throws what kill(2) refuses */
  async end(ms: number): Promise<boolean> {
    if (this.isRunning) process.kill(this.pid, 'SIGTERM');
    return this.endsWithin(ms);
  }
}

/** The process that holds the lock on that file; null where nobody does. */
export function lockHolder(path: string): number | null {
  let inode: number;
  try {
    inode = statSync(path).ino;
  } catch {
    return null;
  }
  for (const line of procText('/proc/locks').split('\n')) {
    const [, kind, , , pid, file] = line.split(/\s+/);
    if (file?.split(':')[2] !== String(inode)) continue;
    if (kind === 'POSIX' && Number(pid) > 0) return Number(pid);
    if (kind === 'OFDLCK') return holderByDescriptor(inode);
  }
  return null;
}

/** The process with a descriptor that holds a lock on that inode: the kernel's list does not name it. */
function holderByDescriptor(inode: number): number | null {
  const holds = new RegExp(`^lock:.* OFDLCK .*:${inode} `, 'm');
  for (const pid of processIds())
    for (const fd of procNames(`/proc/${pid}/fdinfo`))
      if (holds.test(procText(`/proc/${pid}/fdinfo/${fd}`))) return pid;
  return null;
}
