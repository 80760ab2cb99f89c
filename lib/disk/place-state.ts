import { existsSync, readFileSync, readdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { FsError } from '../core/index.js';
import { makeDirs } from '../linux/index.js';
import { FileLock } from './file-lock.js';
import { makePrivateDir } from './private-dir.js';
import { replaceFile } from './replace-file.js';
import { syncPath } from './sync-path.js';

/** What is being placed; there from the moment on from which it will be. */
const PENDING = 'restore-in-progress';
/** In it: the new files, and, until the old ones are out of the way, the plan. */
const NEW = 'new';
const PLAN = 'plan.json';

interface Plan {
  readonly format: 1;
  /** Names in the state directory that make room. */
  readonly old: readonly string[];
  /** The directory in it that they go to; null: there are none. */
  readonly aside: string | null;
}

/** Where the new files are put together, in a working directory of `makeWorkingDir`. */
export const newFilesIn = (workingDir: string): string => join(workingDir, NEW);

/**
 * Puts what is in `newFilesIn(workingDir)`, all of it on the disk, into the state directory around it, in place of the files named
 * `old`, which go to the directory `aside`. After a kill at any instant, or power loss, the next start finds the old state or the new
 * one, whole. The caller holds the locks of the state.
 */
export function placeState(dir: string, workingDir: string, plan: Omit<Plan, 'format'>): void {
  replaceFile(join(workingDir, PLAN), `${JSON.stringify({ format: 1, ...plan } satisfies Plan)}\n`);
  syncTree(newFilesIn(workingDir));
  syncPath(workingDir);
  renameSync(workingDir, join(dir, PENDING));
  syncPath(dir);
  finishPlacing(dir);
}

/**
 * Makes a directory of state and requires that it is ours alone, as `makePrivateDir` does; what a killed restore has begun to place
 * there is placed now. Whoever starts with a state opens it so.
 * @throws FsError EBUSY while another process does the same
 */
export function openStateDir(dir: string, isOurs?: (name: string) => boolean): void {
  makePrivateDir(dir, isOurs);
  finishPlacing(dir);
}

function finishPlacing(dir: string): void {
  const pending = join(dir, PENDING);
  if (!existsSync(pending)) return;
  makePrivateDir(pending);
  const lockFile = join(dir, `${PENDING}.lock`);
  const lock = FileLock.tryAcquire(lockFile);
  if (lock === undefined)
    throw new FsError('EBUSY', `A backup is being restored in ${dir} at this moment.`, {
      hint: 'Try again in a second.',
      path: dir,
    });
  try {
    makeRoom(dir, pending);
    // Only what was not placed yet is still there.
    for (const name of existsSync(join(pending, NEW)) ? readdirSync(join(pending, NEW)) : [])
      renameSync(join(pending, NEW, name), join(dir, name));
    syncPath(dir);
    rmSync(pending, { recursive: true, force: true });
    rmSync(lockFile, { force: true });
  } finally {
    lock.release();
  }
}

/** Until the plan is gone, nothing new is in place: what bears an old name is old. */
function makeRoom(dir: string, pending: string): void {
  const planFile = join(pending, PLAN);
  if (!existsSync(planFile)) return;
  const { format, old, aside } = JSON.parse(readFileSync(planFile, 'utf8')) as Plan;
  // Of another release.
  if ((format as number) !== 1)
    throw new FsError('EPROTO', `${pending} was left by a newer version of Acheron.`, {
      hint: 'Start that version once, or restore again with it. Nothing was changed.',
      path: pending,
    });
  if (aside !== null) {
    makeDirs(join(dir, aside), 0o700);
    for (const name of old)
      if (existsSync(join(dir, name))) renameSync(join(dir, name), join(dir, aside, name));
    syncPath(join(dir, aside));
    syncPath(dir);
  }
  unlinkSync(planFile);
  syncPath(pending);
}

/** The directories; the files in them are on the disk already. */
function syncTree(dir: string): void {
  for (const entry of readdirSync(dir, { withFileTypes: true }))
    if (entry.isDirectory()) syncTree(join(dir, entry.name));
  syncPath(dir);
}
