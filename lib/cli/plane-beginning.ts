import { readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FsError } from '../core/index.js';
import { isAlive } from '../linux/index.js';

/** A plane that has not begun after so long is not waited for. */
const MOST_MS = 15_000;

const NAME = 'control.begins';

/**
 * Leaves word that this process is about to run a control plane of this state directory, for commands that
 * follow at once and would not find it yet. What it returns takes the word back: there is one now, or there will be none.
 */
export function announcePlane(stateDir: string): () => void {
  const file = join(stateDir, NAME);
  writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  return () => {
    rmSync(file, { force: true });
  };
}

/** Resolves when no control plane of this state directory is about to begin. */
export async function planeBegun(stateDir: string): Promise<void> {
  if (!isBeginning(stateDir)) return;
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(done, MOST_MS);
    const watcher = watch(stateDir).on('error', failed).on('change', look);
    look();

    function look(): void {
      try {
        if (!isBeginning(stateDir)) done();
      } catch (thrown) {
        failed(thrown);
      }
    }
    function done(): void {
      clearTimeout(late);
      watcher.close();
      resolve();
    }
    function failed(thrown: unknown): void {
      done();
      reject(FsError.from(thrown));
    }
  });
}

/** Word that a process which was killed has left counts for nothing. */
function isBeginning(stateDir: string): boolean {
  const file = join(stateDir, NAME);
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return isAlive(pid) && Date.now() - statSync(file).mtimeMs < MOST_MS;
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    if (code === 'ENOENT' || code === 'EACCES') return false;
    throw FsError.from(thrown);
  }
}
