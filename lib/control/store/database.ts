import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, copyFileSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { FsError } from '../../core/index.js';
import { FileLock, stateFailure, syncPath } from '../../disk/index.js';
import { checkIntegrity, damaged, formatOfFile, refuseIfLost } from './check-database.js';
import { RowCapture } from './replica/row-capture.js';
import type { RowChange } from './replica/row-changes.js';
import type { Row, Rows, SqlValue } from './rows.js';
import { FORMAT, MIGRATIONS, versionFromNumber, VERSION_NUMBER } from './migrations.js';

export type { Row, SqlValue } from './rows.js';

/** What became of one work of several. */
export type Outcome = { readonly value: unknown } | { readonly thrown: unknown };

/** What a transaction answered, and what is to be called now that it is on disk. */
export interface Committed<T> {
  readonly result: T;
  readonly after: readonly (() => void)[];
}

/** What works would change, and what they answered; nothing of it happened. */
export interface Attempt {
  readonly outcomes: readonly Outcome[];
  readonly changes: readonly RowChange[];
}

export interface DatabaseOptions {
  /** It is a replica's copy of what a log says: it is changed by entries of that log alone, and can be made anew from it. */
  readonly isCopy?: boolean;
}

/**
 * The one SQLite file of a control plane. Every acknowledged change is on disk (WAL, synchronous=FULL)
 * before `change` returns. A second control plane on the same file is refused.
 */
export class ControlDatabase implements Rows {
  readonly #db: Database.Database;
  readonly #lock: FileLock;
  readonly #path: string;
  readonly #statements = new Map<string, Database.Statement>();
  readonly #beforeCommit: (() => void)[] = [];
  #undos: (() => void)[] = [];
  #after: (() => void)[] | undefined;
  readonly #isCopy: boolean;
  #capture: RowCapture | undefined;
  #poisoned = false;
  #isReady = false;

  /**
   * @throws FsError EBUSY when another process holds it, EINVAL when a newer release wrote it, EIO when it is
   * damaged, or gone while the tokens that it knows are there. The files are left as they are then.
   */
  constructor(path: string, { isCopy = false }: DatabaseOptions = {}) {
    this.#isCopy = isCopy;
    const found = formatOfFile(path);
    if (found === undefined && !isCopy) refuseIfLost(path);
    if (found !== undefined && found.format > FORMAT) {
      throw new FsError('EINVAL', `${path} has format ${found.format}; this release reads up to ${FORMAT}.`, {
        hint: `Use Acheron ${versionFromNumber(found.needs)} or later. The file was left as it is.`,
        path,
      });
    }
    const lock = FileLock.tryAcquire(`${path}.lock`);
    if (lock === undefined) {
      throw new FsError('EBUSY', `${path} is in use by another control plane.`, {
        hint: `To end the other one: acheron stop --state-dir ${dirname(path)}. Or choose another --state-dir.`,
        path,
      });
    }
    this.#lock = lock;
    this.#path = path;
    try {
      chmodSync(`${path}.lock`, 0o600);
      if (found === undefined) closeSync(openSync(path, 'a', 0o600));
      chmodSync(path, 0o600);
      this.#db = new Database(path);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
    try {
      checkIntegrity(this.#db, path);
      // What a copy has lost it reads again.
      const safety = isCopy ? 'NORMAL' : 'FULL';
      this.#db.exec(`PRAGMA foreign_keys=ON; PRAGMA journal_mode=WAL; PRAGMA synchronous=${safety}`);
      // When the log is merged into the file: at 16 MiB, so that many nodes that come at once do not wait for it often.
      this.#db.exec('PRAGMA wal_autocheckpoint=4096');
      this.#migrate(path);
      this.#isReady = true;
      if (isCopy) this.#capture = new RowCapture(this);
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  get(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.#prepare(sql).get(values) as Row | undefined;
  }

  /** The row that is there. @throws TypeError where it is not */
  require(sql: string, ...values: SqlValue[]): Row {
    const row = this.get(sql, ...values);
    if (row === undefined) throw new TypeError(`A row that must be there is not: ${sql}`);
    return row;
  }

  all(sql: string, ...values: SqlValue[]): Row[] {
    return this.#prepare(sql).all(values) as Row[];
  }

  /** Changes rows; only inside `change`. Returns how many. */
  run(sql: string, ...values: SqlValue[]): number {
    if (this.#after === undefined) throw new TypeError('run() outside change()');
    return this.#prepare(sql).run(values).changes;
  }

  /**
   * Runs `work` as one transaction: on return it is on disk; if it throws, nothing happened. Inner calls
   * join the outer one.
   */
  change<T>(work: () => T): T {
    if (this.#after !== undefined) return work();
    this.#refuseForCopy();
    const { result, after } = this.#transact(work);
    for (const callback of after) callback();
    return result;
  }

  /**
   * Several works as one transaction, in their order. One that throws is undone by itself and the others stay:
   * what they did is on disk on return. Throws where the transaction failed as a whole; nothing happened then.
   */
  changeTogether(works: readonly (() => unknown)[]): Outcome[] {
    if (this.#after !== undefined) throw new TypeError('changeTogether() inside change()');
    this.#refuseForCopy();
    const { result, after } = this.#transact(() => works.map((work) => this.#attempt(work)));
    // What the hooks want called back goes with the last of the works.
    result.at(-1)?.after.push(...after);
    return result.map(({ outcome, after: own }) => settle(() => runAll(outcome, own)));
  }

  /**
   * As `change`, for what a power cut may undo: it survives the end of this process, and does not wait for
   * the disk. What follows it in `change` takes it along.
   */
  changeLightly<T>(work: () => T): T {
    if (this.#after !== undefined) return work();
    this.#refuseForCopy();
    let changed: Committed<T>;
    this.#db.exec('PRAGMA synchronous=NORMAL');
    try {
      changed = this.#transact(work);
    } finally {
      this.#db.exec('PRAGMA synchronous=FULL');
    }
    for (const callback of changed.after) callback();
    return changed.result;
  }

  /**
   * What works would change, one after the other as in `changeTogether`; of many, the first that can be done in about `budgetMs`: so many
   * have an outcome. All is as before then, also what is in memory.
   */
  attempt(works: readonly (() => unknown)[], budgetMs = Infinity): Attempt {
    const capture = this.#capture;
    if (capture === undefined || this.#after !== undefined) throw new TypeError('attempt() out of place');
    this.#db.exec('BEGIN IMMEDIATE');
    this.#after = [];
    try {
      capture.begin();
      const outcomes: Outcome[] = [];
      const endMs = performance.now() + budgetMs;
      for (const work of works) {
        if (outcomes.length > 0 && performance.now() > endMs) break;
        outcomes.push(this.#attempt(work).outcome);
      }
      for (const hook of this.#beforeCommit) hook();
      return { outcomes, changes: capture.end() };
    } catch (thrown) {
      throw stateFailure(thrown, dirname(this.#path));
    } finally {
      this.#after = undefined;
      this.#undo(0);
      this.#rollBack();
    }
  }

  /** Does what an entry of the log says, as one transaction. The callbacks are still to be called. */
  apply<T>(work: () => T): Committed<T> {
    return this.#transact(work, false);
  }

  /** Whether a change is under way that can be joined. */
  get isChanging(): boolean {
    return this.#after !== undefined;
  }

  get isCopy(): boolean {
    return this.#isCopy;
  }

  /** Statements that need no values, and change nothing that is in the log. */
  execute(sql: string): void {
    this.#db.exec(sql);
  }

  /** Calls back once the transaction under way is on disk; never if it is rolled back. */
  afterChange(callback: () => void): void {
    if (this.#after === undefined) throw new TypeError('afterChange() outside change()');
    this.#after.push(callback);
  }

  /**
   * Puts a copy in memory right again should the transaction under way be rolled back; what was changed last
   * is undone first. A refusal so costs what it touched, however much the store holds.
   */
  onRollback(undo: () => void): void {
    if (this.#after === undefined) throw new TypeError('onRollback() outside change()');
    this.#undos.push(undo);
  }

  /** What each transaction does last. */
  beforeCommit(hook: () => void): void {
    this.#beforeCommit.push(hook);
  }

  /** A random value made once for this database. */
  secret(name: string): Buffer {
    const row = this.get('SELECT value FROM meta WHERE key = ?', name);
    if (row !== undefined) {
      const value = row['value'];
      if (Buffer.isBuffer(value) && value.length === 32) return value;
      throw damaged(this.#path, `its secret ${name} is none`);
    }
    const value = randomBytes(32);
    this.change(() => this.run('INSERT INTO meta (key, value) VALUES (?,?)', name, value));
    return value;
  }

  close(): void {
    // One file then, and its length can be checked. What was refused is left as it is.
    if (this.#isReady) this.#mergeLog();
    this.#statements.clear();
    this.#db.close();
    this.#lock.release();
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #refuseForCopy(): void {
    if (this.#isCopy) throw new TypeError('A copy is changed by entries of its log: commit() makes one.');
  }

  #transact<T>(work: () => T, withHooks = true): Committed<T> {
    if (this.#poisoned) throw new FsError('EIO', 'The control plane could not write its database.');
    const after: (() => void)[] = [];
    this.#db.exec('BEGIN IMMEDIATE');
    this.#after = after;
    let result: T;
    try {
      result = work();
      if (withHooks) for (const hook of this.#beforeCommit) hook();
      this.#db.exec('COMMIT');
    } catch (thrown) {
      this.#after = undefined;
      this.#undo(0);
      this.#rollBack();
      throw stateFailure(thrown, dirname(this.#path));
    }
    this.#after = undefined;
    this.#undos = [];
    return { result, after };
  }

  /** One of several works in a transaction. @throws what it threw, where that ended the transaction (a full disk) */
  #attempt(work: () => unknown): { outcome: Outcome; after: (() => void)[] } {
    const all = this.#after ?? [];
    const undos = this.#undos.length;
    this.#prepare('SAVEPOINT work').run();
    let outcome: Outcome;
    try {
      outcome = { value: work() };
    } catch (thrown) {
      if (!this.#db.inTransaction) throw thrown;
      this.#undo(undos);
      all.length = 0;
      this.#prepare('ROLLBACK TO work').run();
      outcome = { thrown: stateFailure(thrown, dirname(this.#path)) };
    }
    this.#prepare('RELEASE work').run();
    return { outcome, after: all.splice(0) };
  }

  /** Takes back what was done to copies in memory, down to the first `kept` of it. */
  #undo(kept: number): void {
    for (const undo of this.#undos.splice(kept).reverse()) undo();
  }

  /** A disk that is full keeps the log beside the file: nothing is lost either way. */
  #mergeLog(): void {
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // The next start reads the log.
    }
  }

  #rollBack(): void {
    if (!this.#db.inTransaction) return;
    try {
      this.#db.exec('ROLLBACK');
    } catch (thrown) {
      this.#poisoned = true;
      throw thrown;
    }
  }

  #migrate(path: string): void {
    const row = this.#db.pragma('user_version') as { user_version: number }[];
    const from = row[0]?.user_version ?? 0;
    if (from === FORMAT) return;
    if (from > 0 && !this.#isCopy) backUp(this.#db, path, from);
    this.#db.exec('BEGIN EXCLUSIVE');
    try {
      for (const step of MIGRATIONS.slice(from)) this.#db.exec(step);
      this.#db.exec(`PRAGMA user_version=${FORMAT}`);
      this.#db.exec(`PRAGMA application_id=${VERSION_NUMBER}`);
      this.#db.exec('COMMIT');
    } catch (thrown) {
      this.#rollBack();
      throw thrown;
    }
    this.#db.pragma('wal_checkpoint(TRUNCATE)');
  }
}

/** What `act` answers or throws, as a value. */
export function settle(act: () => unknown): Outcome {
  try {
    return { value: act() };
  } catch (thrown) {
    return { thrown };
  }
}

function runAll(outcome: Outcome, callbacks: readonly (() => void)[]): unknown {
  for (const callback of callbacks) callback();
  if ('thrown' in outcome) throw outcome.thrown;
  return outcome.value;
}

/** Keeps the file as the earlier release wrote it, as `<path>.format<N>.bak`. */
function backUp(db: Database.Database, path: string, format: number): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
  const copy = `${path}.format${format}.bak`;
  copyFileSync(path, copy);
  chmodSync(copy, 0o600);
  syncPath(copy);
}
