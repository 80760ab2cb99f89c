import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Position, ReplicatedLog } from '../../../cluster/index.js';
import { FsError, type Log } from '../../../core/index.js';
import { ControlDatabase } from '../database.js';
import { FORMAT } from '../migrations.js';
import { applyRows } from './apply-rows.js';
import { decodeEntry } from './entry.js';
import { positionIn, savePosition } from './position.js';
import { keysOf } from './row-changes.js';

/** A replica's copy of what the log says, beside the tokens. It can be thrown away: it is made anew from the store. */
export const COPY_NAME = 'replica.db';
const ENTRIES_AT_ONCE = 512;

/** The copy in a state directory, brought up to where the log stands: from where it was, or else from the newest snapshot. */
export async function openCopy(stateDir: string, log: ReplicatedLog, textLog: Log): Promise<ControlDatabase> {
  const path = join(stateDir, COPY_NAME);
  const found = await openWhereItWas(path, log, textLog);
  const db = found ?? (await openAnew(path, log));
  try {
    await catchUpCopy(db, log);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/** Brings a copy of which nothing is in memory yet up to where the log stands, and answers where that is. */
export async function catchUpCopy(db: ControlDatabase, log: ReplicatedLog): Promise<Position> {
  for (;;) {
    const from = positionIn(db, log.logId) ?? { seq: 0, id: '' };
    const { entries, head } = await log.read(from.seq, ENTRIES_AT_ONCE);
    for (const entry of entries)
      db.apply(() => {
        applyRows(db, decodeEntry(entry.data, keysOf).changes);
        savePosition(db, log.logId, entry);
      });
    const { seq, id } = entries.at(-1) ?? from;
    if (seq >= head.seq) return { seq, id };
  }
}

/** Undefined where it cannot go on from there: then it is removed. */
async function openWhereItWas(
  path: string,
  log: ReplicatedLog,
  textLog: Log,
): Promise<ControlDatabase | undefined> {
  let db: ControlDatabase | undefined;
  try {
    db = new ControlDatabase(path, { isCopy: true });
    const position = positionIn(db, log.logId);
    if (position !== undefined && (await leadsOn(log, position.seq, position.id))) return db;
    if (position !== undefined)
      textLog.info('the copy of the store is too old, or went another way: it is made anew');
  } catch (thrown) {
    db?.close();
    const { code } = FsError.from(thrown);
    if (code !== 'EIO') throw thrown;
    textLog.warn('the copy of the store is damaged: it is made anew', { error: thrown });
    db = undefined;
  }
  db?.close();
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
  return undefined;
}

/** Whether the entry is one that this log has, and all that follow it are there. */
async function leadsOn(log: ReplicatedLog, seq: number, id: string): Promise<boolean> {
  try {
    const { head } = await log.read(seq, 1);
    if (seq > head.seq) return false;
    return seq === head.seq ? head.id === id : (await log.idAt(seq)) === id;
  } catch (thrown) {
    if (FsError.from(thrown).code === 'EOVERFLOW') return false;
    throw thrown;
  }
}

async function openAnew(path: string, log: ReplicatedLog): Promise<ControlDatabase> {
  const snapshot = await log.newestSnapshot(FORMAT);
  if (snapshot !== undefined) writeFileSync(path, gunzipSync(snapshot.data), { mode: 0o600 });
  const db = new ControlDatabase(path, { isCopy: true });
  if (snapshot !== undefined) {
    positionIn(db, log.logId);
    // A snapshot says by itself where it is from; one that was restored into another store is of that store now.
    db.apply(() => savePosition(db, log.logId, snapshot));
  }
  return db;
}

/** A name for one run of a replica. */
export const newReplicaId = (): string => `r-${randomUUID().slice(0, 8)}`;
