import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type Database from 'libsql';
import { FsError } from '../../core/index.js';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
/** Of a larger file the indexes are not compared with their tables: that takes seconds. */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;

/**
 * `user_version` and `application_id`, from the header (sqlite.org/fileformat.html), without opening a
 * database; undefined where there is none yet. @throws FsError EIO when the file is no database.
 */
export function formatOfFile(path: string): { format: number; needs: number } | undefined {
  const header = Buffer.alloc(HEADER_BYTES);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (thrown) {
    if (FsError.from(thrown).code === 'ENOENT') return undefined;
    throw FsError.from(thrown);
  }
  try {
    const size = readSync(fd, header, 0, HEADER_BYTES, 0);
    if (size === 0) return undefined;
    if (size < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC)
      throw damaged(path, 'it is not a database');
  } catch (thrown) {
    const error = FsError.from(thrown);
    throw error.code === 'EIO' ? error : damaged(path, error.message);
  } finally {
    closeSync(fd);
  }
  return { format: header.readUInt32BE(60), needs: header.readUInt32BE(68) };
}

/** A database that is missing, or empty, is a first start only where nothing of an earlier one is left. */
export function refuseIfLost(path: string): void {
  const stateDir = dirname(path);
  const left = ['admin.token', 'user.token', 'control.db-wal'].filter((name) => {
    const file = join(stateDir, name);
    return existsSync(file) && statSync(file).size > 0;
  });
  if (left.length === 0) return;
  const what = existsSync(path) ? 'is empty' : 'is missing';
  throw new FsError('EIO', `${path} ${what}, but ${left.join(' and ')} of an earlier start are there.`, {
    hint: `Restore ${path} from a backup. To start anew, with other tokens and every node to be paired again, move ${left.join(' and ')} away first. Nothing was changed.`,
    path,
  });
}

/** @throws FsError EIO when what the file holds contradicts itself. */
export function checkIntegrity(db: Database.Database, path: string): void {
  checkWal(path);
  checkLength(path);
  const full = statSync(path).size <= FULL_CHECK_BYTES;
  let faults: string[];
  try {
    const rows = db.pragma(full ? 'integrity_check(3)' : 'quick_check(3)') as Record<string, string>[];
    faults = rows.flatMap((row) => Object.values(row)).filter((text) => text !== 'ok');
  } catch (thrown) {
    const { code, message } = thrown as { code?: unknown; message: string };
    if (code !== 'SQLITE_CORRUPT' && code !== 'SQLITE_NOTADB') throw thrown;
    faults = [message];
  }
  if (faults.length > 0) throw damaged(path, faults.join('; '));
}

/** What is cut off where a page holds nothing yet would go unseen. With a log of changes beside it, the file may be behind. */
function checkLength(path: string): void {
  const wal = `${path}-wal`;
  if (existsSync(wal) && statSync(wal).size > 0) return;
  const { size } = statSync(path);
  if (size === 0) return;
  const header = Buffer.alloc(HEADER_BYTES);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(fd);
  }
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  if (size < pageBytes * header.readUInt32BE(28)) throw damaged(path, 'its end is cut off');
}

/** A log of changes that begins with anything but its own header would be left out in silence. */
function checkWal(path: string): void {
  const wal = `${path}-wal`;
  if (!existsSync(wal)) return;
  const header = Buffer.alloc(4);
  const fd = openSync(wal, 'r');
  try {
    if (readSync(fd, header, 0, 4, 0) === 0) return;
  } finally {
    closeSync(fd);
  }
  const magic = header.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) throw damaged(wal, 'it is not the log of a database');
}

export function damaged(path: string, what: string): FsError {
  return new FsError('EIO', `${path} is damaged: ${what.replaceAll(/\s+/g, ' ')}.`, {
    hint: `Restore it from a backup, or look at it with: sqlite3 ${path} .recover. To start anew, move it away together with admin.token and user.token beside it. Nothing was changed.`,
    path,
  });
}
