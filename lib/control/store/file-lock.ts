import Database from 'libsql';

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
    const db = new Database(path);
    try {
      db.exec('BEGIN EXCLUSIVE');
      return new FileLock(db);
    } catch (thrown) {
      db.close();
      if ((thrown as { code?: unknown }).code === 'SQLITE_BUSY') return undefined;
      throw thrown;
    }
  }

  release(): void {
    this.#db.exec('ROLLBACK');
    this.#db.close();
  }
}
