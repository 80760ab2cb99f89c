import { createRequire } from 'node:module';
import type Database from 'libsql';
import { FsError } from '../core/index.js';

/** Loads what is native with the first lock: a client of a control plane takes none. */
const load = createRequire(import.meta.url);

/**
 * Holds a lock that no other process can take until it is released or this process ends, however it
 * ends. Node has no flock(2) of its own, so it is the lock that SQLite takes on an empty database.
 */
export class FileLock {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /** The lock, or undefined while somebody else holds it. `path` is made if absent, and stays. */
  static tryAcquire(path: string): FileLock | undefined {
    const db = open(path);
    try {
      db.exec('BEGIN EXCLUSIVE');
      return new FileLock(db);
    } catch (thrown) {
      db.close();
      const { code } = thrown as { code?: unknown };
      if (code === 'SQLITE_BUSY') return undefined;
      if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') throw notEmpty(path, thrown);
      throw thrown;
    }
  }

  release(): void {
    this.#db.exec('ROLLBACK');
    this.#db.close();
  }
}

function open(path: string): Database.Database {
  try {
    return new (load('libsql') as typeof Database)(path);
  } catch (thrown) {
    throw new FsError('EIO', `The lock file ${path} cannot be opened: ${(thrown as Error).message}.`, {
      hint: 'It is an empty file. Remove what is there while no other process uses it, and start again.',
      path,
      cause: thrown,
    });
  }
}

function notEmpty(path: string, cause: unknown): FsError {
  return new FsError('EIO', `The lock file ${path} is damaged: it should be empty.`, {
    hint: 'Remove it while no other process uses it, and start again.',
    path,
    cause,
  });
}
