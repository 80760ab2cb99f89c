import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonOf } from '../core/index.js';
import { unmountDir, type BindingName } from '../fuse/index.js';
import type { TryMountReport } from './try-mount-program.js';

const MOST_MS = 20_000;

/**
 * Mounts by that binding as the calling user, has a file of the mount read, and unmounts: all in a process
 * of its own, which may hang or crash. The report says whether it works, else why it does not.
 */
export async function tryMount(binding: BindingName): Promise<TryMountReport> {
  let dir: string;
  try {
    dir = await mkdtemp(join(tmpdir(), 'acheron-doctor-'));
  } catch (thrown) {
    return failed(`There is no room for a trial: ${reasonOf(thrown)}.`, null);
  }
  const program = join(import.meta.dirname, 'try-mount-program.js');
  try {
    const { stdout, timedOut, stderr } = await execa(process.execPath, [program, binding, dir], {
      reject: false,
      timeout: MOST_MS,
      forceKillAfterDelay: 1000,
    });
    if (timedOut) return failed('The trial did not end.', 'The kernel log (dmesg) may say more.');
    try {
      return JSON.parse(stdout) as TryMountReport;
    } catch {
      // The program ended before it printed its result; its stderr has the reason.
      return failed('The trial ended without a result.', stderr.split('\n')[0] || null);
    }
  } finally {
    await unmountDir(dir).catch(() => undefined);
    await rmdir(dir).catch(() => undefined);
  }
}

function failed(message: string, hint: string | null): TryMountReport {
  return { failure: { message, hint }, whyThroughUs: null };
}
