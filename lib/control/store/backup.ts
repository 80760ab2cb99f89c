import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'libsql';
import { FsError } from '../../core/index.js';
import { makeDirs } from '../../linux/index.js';
import {
  FileLock,
  makeWorkingDir,
  newFilesIn,
  openStateDir,
  placeState,
  readArchive,
  removeWorkingDirs,
  stateFailure,
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
/** What it made for itself to listen with. */
const TLS = 'tls';
/** What a state directory has of a control plane, beside locks and what it can make anew. */
const STATE = [DATABASE, `${DATABASE}-wal`, `${DATABASE}-shm`, ...TOKENS, TLS];

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
  const dir = makeWorkingDir(dirname(file));
  try {
    const taken = takeControl(stateDir, dir);
    if (taken === undefined)
      throw new FsError('ENOENT', `${stateDir} has no control plane: there is no ${DATABASE} in it.`, {
        hint: 'Name the state directory of the control plane with --state-dir.',
        path: join(stateDir, DATABASE),
      });
    const facts = {
      kind: KIND,
      format: FORMAT,
      release,
      database_format: taken.format,
      made_at: new Date(nowMs).toISOString(),
    };
    await writeArchive(file, { dir, names: taken.names, facts });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Copies all that the control plane of `stateDir` knows to `to`, as it is at one instant, whether it runs or not; answers the files
 * and the format of its database, or undefined where there is none.
 */
export function takeControl(
  stateDir: string,
  to: string,
): { readonly names: readonly string[]; readonly format: number } | undefined {
  const database = join(stateDir, DATABASE);
  const found = formatOfFile(database);
  if (found === undefined) return undefined;
  makeDirs(to, 0o700);
  copyDatabase(database, join(to, DATABASE));
  const certificates = join(stateDir, TLS);
  const others = [
    ...TOKENS,
    ...(existsSync(certificates) ? readdirSync(certificates).map((name) => `${TLS}/${name}`) : []),
  ].filter((name) => mayBeOfControl(name) && existsSync(join(stateDir, name)));
  for (const name of others) {
    makeDirs(dirname(join(to, name)), 0o700);
    copyFileSync(join(stateDir, name), join(to, name));
  }
  return { names: [DATABASE, ...others], format: found.format };
}

/** Whether a file of this name, relative to the state directory, may be in a backup of a control plane. */
export const mayBeOfControl = (name: string): boolean =>
  name === DATABASE || TOKENS.includes(name) || /^tls\/(?:ca|server)\.(?:crt|key)$/.test(name);

/** What there is of a control plane in a state directory. */
export const controlIn = (stateDir: string): string[] =>
  STATE.filter((name) => existsSync(join(stateDir, name)));

/** Of that, what makes room for a backup with these files: certificates stay where it has none. */
export const replacedBy = (present: readonly string[], names: readonly string[]): string[] =>
  present.filter((name) => name !== TLS || names.some((one) => one.startsWith(`${TLS}/`)));

/** Keeps control planes from starting with this state. @throws FsError EBUSY where one runs */
export function lockControl(stateDir: string): FileLock {
  const lock = FileLock.tryAcquire(join(stateDir, `${DATABASE}.lock`));
  if (lock === undefined)
    throw new FsError('EBUSY', `A control plane runs with the state directory ${stateDir}.`, {
      hint: `End it first: acheron stop --state-dir ${stateDir}`,
      path: stateDir,
    });
  return lock;
}

/** The same of what several control planes have in a store. There are no tokens in it. */
export async function backUpStore(
  log: ReplicatedLog,
  file: string,
  { release, nowMs }: { readonly release: string; readonly nowMs: number },
): Promise<void> {
  const dir = makeWorkingDir(dirname(file));
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
  const dir = makeWorkingDir(tmpdir());
  try {
    const { facts } = await readArchive(file, { dir, kind: KIND, format: FORMAT, mayHold: mayBeOfControl });
    proveControl(dir, file, true);
    await importDatabase(log, join(dir, DATABASE));
    return { madeAt: String(facts['made_at']) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Makes the state of a control plane out of a backup, in a directory that has none. With `replace`, what is there is moved aside,
 * whole; the answer says when the backup was made, and where to. Nothing is changed unless the backup is whole and this release can
 * use it, and after a crash on the way the next start finds what was there, or the backup.
 *
 * What clients know of revisions is void afterwards: they are sent everything anew.
 * @throws FsError EBUSY while a control plane runs there, EEXIST where there is one, EIO and EINVAL for what is no good backup
 */
export async function restoreControl(
  stateDir: string,
  file: string,
  { replace, nowMs }: { readonly replace: boolean; readonly nowMs: number },
): Promise<{ madeAt: string; aside: string | null }> {
  openStateDir(stateDir);
  const lock = lockControl(stateDir);
  try {
    removeWorkingDirs(stateDir);
    const present = controlIn(stateDir);
    if (present.length > 0 && !replace)
      throw new FsError('EEXIST', `${stateDir} has a control plane already: ${present.join(', ')}.`, {
        hint: 'To have the one of the backup in its place, say --replace: what is there is moved aside. Or choose another --state-dir.',
        path: stateDir,
      });
    const working = makeWorkingDir(stateDir);
    try {
      const dir = newFilesIn(working);
      const { facts, names } = await readArchive(file, {
        ...{ dir, kind: KIND, format: FORMAT },
        mayHold: mayBeOfControl,
      });
      proveControl(dir, file);
      const aside = present.length === 0 ? null : asideName(nowMs);
      placeState(stateDir, working, { old: replacedBy(present, names), aside });
      return { madeAt: String(facts['made_at']), aside: aside === null ? null : join(stateDir, aside) };
    } finally {
      rmSync(working, { recursive: true, force: true });
    }
  } finally {
    lock.release();
  }
}

/** Where what a restore replaces goes. */
export const asideName = (nowMs: number): string =>
  `before-restore-${new Date(nowMs).toISOString().replace(/[:.]/g, '')}`;

/** Opens it as a start would, which brings an older format up to ours, and voids the cursors that clients have. */
export function proveControl(dir: string, file: string, renewsKey = false): void {
  const path = join(dir, DATABASE);
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
