import { FsError } from '../../core/index.js';
import { settle, type ControlDatabase, type Outcome } from './database.js';

/** Under load so much time passes between two commits, in terms of what the last one took; at most `LONGEST_WAIT_MS`. */
const WAIT_PER_COMMIT = 3;
const LONGEST_WAIT_MS = 20;
/** Works of one transaction: the commit is not to keep others waiting for long. */
const MAX_WORKS = 256;

interface Waiting {
  readonly work: () => unknown;
  /** Runs it by itself, where it could not be done with the others. */
  readonly alone: <T>(run: () => T) => T;
  readonly answer: (outcome: Outcome) => void;
}

/**
 * Changes that wait for the disk together. Works are run in the order in which they came, in one transaction, each as if it were
 * alone: one that fails is undone and the others stay. All are answered after the commit. A work that comes while none waits
 * is done at once; many share the commit, so a thousand nodes that come at once do not cost a thousand waits for the disk.
 *
 * A work may be run a second time, after all that it did was undone: it reads what it decides upon by itself, when it is run.
 */
export class GroupCommit {
  readonly #db: ControlDatabase;
  #waiting: Waiting[] = [];
  #isArmed = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  /** How long the last commit took, and when it ended; 0 where one work was all there was. */
  #busyMs = 0;
  #endedMs = 0;

  constructor(db: ControlDatabase) {
    this.#db = db;
  }

  /** Answers what `work` did once it is on disk. `alone` runs it where the transaction of all failed. */
  submit<T>(work: () => T, alone: Waiting['alone'] = (run) => run()): Promise<T> {
    if (this.#isClosed) return Promise.reject(new FsError('EHOSTDOWN', 'The control plane stops.'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        work,
        alone,
        answer: (outcome) => {
          if ('value' in outcome) resolve(outcome.value as T);
          else reject(outcome.thrown instanceof Error ? outcome.thrown : FsError.from(outcome.thrown));
        },
      });
      this.#arm();
    });
  }

  /** Does what waits; nothing is taken any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    while (this.#waiting.length > 0) this.#commit();
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    const waitMs =
      this.#endedMs + Math.min(LONGEST_WAIT_MS, WAIT_PER_COMMIT * this.#busyMs) - performance.now();
    const commit = (): void => {
      this.#isArmed = false;
      this.#commit();
      if (this.#waiting.length > 0) this.#arm();
    };
    if (waitMs > 1) this.#timer = setTimeout(commit, waitMs);
    else setImmediate(commit);
  }

  #commit(): void {
    const group = this.#waiting.splice(0, MAX_WORKS);
    if (group.length === 0) return;
    const startedMs = performance.now();
    const outcomes = this.#outcomesOf(group);
    this.#endedMs = performance.now();
    this.#busyMs = group.length === 1 ? 0 : this.#endedMs - startedMs;
    group.forEach(({ answer }, at) => answer(outcomes[at] as Outcome));
  }

  #outcomesOf(group: readonly Waiting[]): Outcome[] {
    if (group.length > 1) {
      try {
        return this.#db.changeTogether(group.map(({ work }) => work));
      } catch {
        // Nothing of it happened. What is the matter (a full disk) is found again by those whom it concerns.
      }
    }
    return group.map(({ work, alone }) => settle(() => alone(() => this.#db.change(work))));
  }
}
