import { setTimeout as sleep } from 'node:timers/promises';
import { allProcesses } from './proc-table.js';
import { strays } from './strays.js';

/** Sends `signal` to every process of a group; false when the group is empty. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (thrown) {
    // EPERM: it has members, all of another user.
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Waits until a group has no living member, `mostMs` at most; false when it still has one then.
 * A zombie is not alive: nothing of it runs, and when it is reaped is its parent's affair.
 */
export async function groupEmptied(group: number, mostMs: number): Promise<boolean> {
  const start = performance.now();
  for (let delay = 1; hasMembers(group); delay = Math.min(delay * 2, 32)) {
    const waited = performance.now() - start;
    if (waited > 15 && !allProcesses().some((one) => one.group === group && !one.isZombie)) return true;
    if (waited >= mostMs) return false;
    await sleep(Math.min(delay, mostMs - waited + 1));
  }
  return true;
}

/** An ended member that has become a child of this process is taken out of the group first. */
function hasMembers(group: number): boolean {
  strays.reap();
  return signalGroup(group, 0);
}
