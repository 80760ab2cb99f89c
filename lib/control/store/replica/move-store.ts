import { randomBytes, randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ReplicatedLog } from '../../../cluster/index.js';
import { FsError, silentLog } from '../../../core/index.js';
import { FileLock, makePrivateDir, syncPath } from '../../../disk/index.js';
import { ControlDatabase } from '../database.js';
import { FORMAT } from '../migrations.js';
import { encodeEntry } from './entry.js';
import { COPY_NAME, openCopy } from './open-copy.js';
import { REPLICATED, type RowChange } from './row-changes.js';

const DATABASE = 'control.db';
/** All of it goes as one entry: it takes as long as its size says. */
const LONG_MS = 120_000;

/**
 * Brings the database of the one control plane of `stateDir` into a store that is empty, whole or not at all. The database is left as it
 * is, beside its place, so that no second control plane starts with it by mistake; the answer says where.
 * @throws FsError ENOENT, EBUSY while it runs, EEXIST where the store is not empty
 */
export async function importIntoStore(log: ReplicatedLog, stateDir: string): Promise<{ aside: string }> {
  const path = join(stateDir, DATABASE);
  if (!existsSync(path))
    throw new FsError('ENOENT', `${stateDir} has no control plane: there is no ${DATABASE} in it.`, {
      hint: 'Name its state directory with --from.',
      path,
    });
  const lock = FileLock.tryAcquire(`${path}.lock`);
  if (lock === undefined)
    throw new FsError('EBUSY', `A control plane runs with the state directory ${stateDir}.`, {
      hint: `End it first: acheron stop --state-dir ${stateDir}`,
      path,
    });
  lock.release();
  // Opening it merges its log into it, and brings an older format up to ours.
  new ControlDatabase(path).close();
  await importDatabase(log, path);
  const aside = `${path}.imported`;
  copyFileSync(path, aside);
  syncPath(aside);
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
  syncPath(stateDir);
  return { aside };
}

/** The same for a database that nobody uses; it stays. @throws FsError EEXIST where the store is not empty */
export async function importDatabase(log: ReplicatedLog, path: string): Promise<void> {
  await refuseUnlessEmpty(log);
  const db = new ControlDatabase(path, { isCopy: true });
  let data: Buffer;
  try {
    db.apply(() =>
      db.run("INSERT INTO meta (key, value) VALUES ('relay_key', ?) ON CONFLICT DO NOTHING", randomBytes(32)),
    );
    data = encodeEntry({ after: '', replica: 'import', schema: FORMAT, changes: [...rowsOf(db)] });
  } finally {
    db.close();
  }
  if (!(await log.append(0, { id: randomUUID(), data }, { withinMs: LONG_MS }))) throw notEmpty();
}

/**
 * Writes what the store says, as of now, as the database of one control plane, at `path`, where there is nothing.
 * @throws FsError EEXIST
 */
export async function exportStore(log: ReplicatedLog, path: string): Promise<void> {
  if (existsSync(path))
    throw new FsError('EEXIST', `${path} is there already.`, {
      hint: 'Name a directory that has no control plane.',
      path,
    });
  makePrivateDir(dirname(path));
  const dir = mkdtempSync(join(dirname(path), '.acheron-export-'));
  try {
    const db = await openCopy(dir, log, silentLog);
    try {
      db.apply(() => {
        db.run('UPDATE nodes SET replica = NULL');
        db.run("DELETE FROM meta WHERE key = 'relay_key'");
        db.execute('DROP TABLE IF EXISTS log_position');
      });
    } finally {
      db.close();
    }
    copyFileSync(join(dir, COPY_NAME), path);
    syncPath(path);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function* rowsOf(db: ControlDatabase): Generator<RowChange> {
  for (const [table, keys] of REPLICATED)
    for (const row of db.all(`SELECT * FROM ${table}`))
      yield { table, key: keys.map((column) => row[column] ?? null), row };
}

async function refuseUnlessEmpty(log: ReplicatedLog): Promise<void> {
  const { head } = await log.read(0, 1).catch((thrown: unknown) => {
    if (FsError.from(thrown).code === 'EOVERFLOW') throw notEmpty();
    throw thrown;
  });
  if (head.seq > 0) throw notEmpty();
}

const notEmpty = (): FsError =>
  new FsError('EEXIST', 'The store has the state of a control plane already. Nothing was changed.', {
    hint: 'Name another database, or another schema of it: postgres://…/database?schema=NAME.',
  });
