import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'libsql';
import { FsError } from '../../core/index.js';
import {
  FileLock,
  makePrivateDir,
  readArchive,
  stateFailure,
  syncPath,
  writeArchive,
} from '../../disk/index.js';
import type { ReplicatedLog } from '../../cluster/index.js';
import { formatOfFile } from './check-database.js';
import { ControlDatabase } from './database.js';
import { FORMAT as DATABASE_FORMAT } from './migrations.js';
import { exportStore, importDatabase } from './replica/move-store.js';

const KIND = 'acheron-control';
/** Of the archive; the database in it has a format of its own. */
const FORMAT = 1;

const DATABASE = 'control.db';
const TOKENS = ['admin.token', 'user.token'];
/** What a state directory has of a control plane, beside locks and what it can make anew. */
const STATE = [DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`, ...TOKENS];

/**
 * Writes all that the control plane of `stateDir` knows into one file, as it is at one instant, whether it runs or not. What was
 * there is replaced as a whole. It holds tokens: keep it as you keep those.
 * @throws FsError ENOENT where there is no control plane
 */
export async function backUpControl(
  stateDir: string,
  file: string,
  { release, nowMs }: { readonly release: string; readonly nowMs: number },
): Promise<void> {
  const database = join(stateDir, DATABASE);
  const found = formatOfFile(database);
  if (found === undefined)
    throw new FsError('ENOENT', `${stateDir} has no control plane: there is no ${DATABASE} in it.`, {
      hint: 'Name the state directory of the control plane with --state-dir.',
      path: database,
    });
  const dir = workingDir(dirname(file));
  try {
    copyDatabase(database, join(dir, DATABASE));
    const tokens = TOKENS.filter((name) => existsSync(join(stateDir, name)));
    for (const name of tokens) copyFileSync(join(stateDir, name), join(dir, name));
    const facts = {
      kind: KIND,
      format: FORMAT,
      release,
      database_format: found.format,
      made_at: new Date(nowMs).toISOString(),
    };
    await writeArchive(file, { dir, names: [DATABASE, ...tokens], facts });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The same of what several control planes have in a store. There are no tokens in it. */
export async function backUpStore(
  log: ReplicatedLog,
  file: string,
  { release, nowMs }: { readonly release: string; readonly nowMs: number },
): Promise<void> {
  const dir = workingDir(dirname(file));
  try {
    await exportStore(log, join(dir, DATABASE));
    const made_at = new Date(nowMs).toISOString();
    const facts = { kind: KIND, format: FORMAT, release, database_format: DATABASE_FORMAT, made_at };
    await writeArchive(file, { dir, names: [DATABASE], facts });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Brings a backup into a store that is empty, whole or not at all. Answers when the backup was made. */
export async function restoreStore(log: ReplicatedLog, file: string): Promise<{ madeAt: string }> {
  const dir = workingDir(tmpdir());
  try {
    const names = [DATABASE, ...TOKENS];
    const facts = await readArchive(file, { dir, kind: KIND, format: FORMAT, names });
    proveUsable(join(dir, DATABASE), file, true);
    await importDatabase(log, join(dir, DATABASE));
    return { madeAt: String(facts['made_at']) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Makes the state of a control plane out of a backup, in a directory that has none. With `replace`, what is there is moved aside,
 * whole; the answer says when the backup was made, and where to. Nothing is changed unless the backup is whole and this release can
 * use it, and a crash on the way leaves a directory in which no control plane starts, and the backup as it was.
 *
 * What clients know of revisions is void afterwards: they are sent everything anew.
 * @throws FsError EBUSY while a control plane runs there, EEXIST where there is one, EIO and EINVAL for what is no good backup
 */
export async function restoreControl(
  stateDir: string,
  file: string,
  { replace, nowMs }: { readonly replace: boolean; readonly nowMs: number },
): Promise<{ madeAt: string; aside: string | null }> {
  makePrivateDir(stateDir);
  const lock = FileLock.tryAcquire(join(stateDir, `${DATABASE}.lock`));
  if (lock === undefined)
    throw new FsError('EBUSY', `A control plane runs with the state directory ${stateDir}.`, {
      hint: `End it first: acheron stop --state-dir ${stateDir}`,
      path: stateDir,
    });
  const dir = workingDir(stateDir);
  try {
    const present = STATE.filter((name) => existsSync(join(stateDir, name)));
    if (present.length > 0 && !replace)
      throw new FsError('EEXIST', `${stateDir} has a control plane already: ${present.join(', ')}.`, {
        hint: 'To have the one of the backup in its place, say --replace: what is there is moved aside. Or choose another --state-dir.',
        path: stateDir,
      });
    const names = [DATABASE, ...TOKENS];
    const facts = await readArchive(file, { dir, kind: KIND, format: FORMAT, names });
    proveUsable(join(dir, DATABASE), file);
    const aside = present.length === 0 ? null : join(stateDir, `before-restore-${nameOfTime(nowMs)}`);
    if (aside !== null) {
      mkdirSync(aside, { mode: 0o700 });
      for (const name of STATE.filter((one) => existsSync(join(stateDir, one))))
        renameSync(join(stateDir, name), join(aside, name));
      syncPath(aside);
    }
    // The database comes last: tokens without one are refused at a start, where one without tokens would be used.
    for (const name of names.toReversed().filter((one) => existsSync(join(dir, one))))
      renameSync(join(dir, name), join(stateDir, name));
    syncPath(stateDir);
    return { madeAt: String(facts['made_at']), aside };
  } finally {
    rmSync(dir, { recursive: true, force: true });
    lock.release();
  }
}

/** Opens it as a start would, which brings an older format up to ours, and voids the cursors that clients have. */
function proveUsable(path: string, file: string, renewsKey = false): void {
  if (!existsSync(path))
    throw new FsError('EIO', `The backup ${file} is damaged: it has no ${DATABASE}.`, {
      hint: 'Take an earlier one. Nothing was changed.',
      path: file,
    });
  const db = new ControlDatabase(path);
  try {
    db.change(() => db.run("DELETE FROM meta WHERE key = 'cursor_key'"));
    if (renewsKey) db.secret('cursor_key');
  } finally {
    db.close();
  }
  rmSync(`${path}.lock`, { force: true });
}

/** A copy as of one instant, also while another process changes it. */
function copyDatabase(from: string, to: string): void {
  const db = new Database(from, { readonly: true });
  try {
    db.prepare('VACUUM INTO ?').run(to);
  } catch (thrown) {
    throw stateFailure(thrown, dirname(to));
  } finally {
    db.close();
  }
}

function workingDir(parent: string): string {
  try {
    return mkdtempSync(join(parent, '.acheron-backup-'));
  } catch (thrown) {
    const { code, message } = FsError.from(thrown);
    throw new FsError(code, `Nothing can be written in ${parent}: ${message}.`, {
      hint: 'Name a file in a directory that is there and that you may write.',
      path: parent,
      cause: thrown,
    });
  }
}

const nameOfTime = (ms: number): string => new Date(ms).toISOString().replace(/[:.]/g, '');
