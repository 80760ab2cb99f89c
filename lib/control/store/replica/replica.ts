import { randomUUID } from 'node:crypto';
import {
  Membership,
  type LogEntry,
  type MemberFacts,
  type Position,
  type ReplicatedLog,
} from '../../../cluster/index.js';
import { FsError, silentLog, type Log } from '../../../core/index.js';
import type { Attempt, ControlDatabase, Outcome } from '../database.js';
import { FORMAT } from '../migrations.js';
import { applyRows } from './apply-rows.js';
import { decodeEntry, encodeEntry } from './entry.js';
import { madeElsewhere, notServing, notTried, pause, tooLate, wentAnotherWay, within } from './patience.js';
import { positionIn, savePosition } from './position.js';
import { AppliedRows, keysOf, type Derived } from './row-changes.js';
import { takesRights } from './rights.js';

/** Works of one entry: it is not to keep others waiting for long. */
const MAX_WORKS = 128;
/** How long a change may wait for the store before it is answered that it cannot be made. */
export const WRITE_MS = 4_000;
/** The log is looked at so often, whether somebody says that there is something or not. */
const POLL_MS = 200;
const ENTRIES_AT_ONCE = 256;
/** Works of one entry are worked out in so long, or less with each time that they came second: others write meanwhile. */
const BUDGET_MS = 40;
/** Who came first while others write gives them the time of so many appends, at most so long. */
const YIELD_APPENDS = 2;
const LONGEST_YIELD_MS = 60;
/** Others write, as long as an entry of theirs is not older. */
const CONTENDED_MS = 200;

interface Waiting {
  readonly work: () => unknown;
  readonly answer: (outcome: Outcome) => void;
  readonly untilMs: number;
}

export interface ReplicaOptions {
  /** Caught up with the log once, and bound to it. */
  readonly db: ControlDatabase;
  readonly log: ReplicatedLog;
  readonly self: Omit<MemberFacts, 'address'>;
  readonly textLog?: Log;
  readonly leaseMs?: number;
}

/** What is counted, for metrics. */
export interface ReplicaCounts {
  appends: number;
  appendSeconds: number;
  conflicts: number;
  /** The store was asked once more, since it could not be reached. */
  retries: number;
  applied: number;
}

/**
 * One of several control planes over one log. A change is worked out here against what was applied, becomes an entry if the log stands
 * where we saw it, and is applied as anybody's entry is: works whose entry came second are run again.
 */
export class Replica {
  readonly membership: Membership;
  readonly log: ReplicatedLog;
  readonly counts: ReplicaCounts = { appends: 0, appendSeconds: 0, conflicts: 0, retries: 0, applied: 0 };
  readonly #db: ControlDatabase;
  readonly #textLog: Log;
  readonly #self: Omit<MemberFacts, 'address'>;
  #position: Position;
  #head: Position;
  #derived: readonly Derived[] = [];
  /** The newest entry that took rights. */
  #rightsSeq = 0;
  /** The first such entry of which not everybody here was notified yet. */
  #unsettled: number | undefined;
  #isSettling = false;
  #lastAppendMs = 0;
  /** The number of the entry that is on its way. */
  #appending: number | undefined;
  #othersWroteMs = -Infinity;
  #newestFormat = FORMAT;
  /** What to wait for before it can be said that a change of rights is in force here. */
  settle: () => Promise<unknown> | undefined = () => undefined;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #isFollowing = false;
  #wakeAgain = false;
  #stopFollowing: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isStuck = false;

  constructor({ db, log, self, textLog = silentLog, leaseMs }: ReplicaOptions) {
    this.#db = db;
    this.log = log;
    this.#self = self;
    this.#textLog = textLog;
    this.#position = positionIn(db, log.logId) ?? { seq: 0, id: '' };
    this.#head = this.#position;
    this.membership = new Membership({
      ...{ log, self, textLog },
      ...(leaseMs === undefined ? {} : { leaseMs }),
      appliedSeq: () => this.#position.seq,
      settledSeq: () => (this.#unsettled === undefined ? this.#position.seq : this.#unsettled - 1),
      onHead: (head) => this.#headIs(head),
    });
  }

  get appliedSeq(): number {
    return this.#position.seq;
  }

  /** Of the entries that came since it runs, the newest format of rows: whoever wrote them may be of a later release. */
  get newestFormat(): number {
    return this.#newestFormat;
  }

  /** How many entries are known to be there that are not applied yet. */
  get lag(): number {
    return Math.max(0, this.#head.seq - this.#position.seq);
  }

  /** Begins to follow the log, and to take part. What is derived from rows is brought up to each entry. */
  async start(derived: readonly Derived[], address: string): Promise<void> {
    this.#derived = derived;
    this.#stopFollowing = this.log.follow((appended) => {
      if (appended === null) this.membership.heard();
      // What we append we apply by ourselves.
      else if (appended <= this.#position.seq || appended === this.#appending) return;
      void this.#follow();
    });
    this.#arm();
    await this.membership.start(address);
    await this.#follow();
    this.membership.review();
  }

  /** Answers what `work` did once it is in the log, and applied here. It may be run again after it was undone. */
  submit<T>(work: () => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(new FsError('EHOSTDOWN', 'The control plane stops.'));
    if (!this.membership.isServing()) return Promise.reject(notServing());
    return new Promise((resolve, reject) => {
      this.#queue.push({
        work,
        untilMs: performance.now() + WRITE_MS,
        answer: (outcome) => {
          if ('value' in outcome) resolve(outcome.value as T);
          else reject(outcome.thrown instanceof Error ? outcome.thrown : FsError.from(outcome.thrown));
        },
      });
      this.#beginToWrite();
    });
  }

  /** Applies what the log has by now; what is read afterwards is no older than the question. @throws FsError EHOSTDOWN */
  async catchUp(): Promise<boolean> {
    const from = this.#position.seq;
    for (;;) {
      const asked = this.#position;
      const { entries, head } = await this.log.read(asked.seq, ENTRIES_AT_ONCE);
      // It had our entry once. A database that was restored, or a standby that lacked it and was promoted, has not.
      if (head.seq < asked.seq || (head.seq === asked.seq && head.id !== asked.id))
        throw wentAnotherWay(this.#position.seq);
      this.#headIs(head, false);
      for (const entry of entries) this.#apply(entry);
      if (this.#position.seq >= head.seq) return this.#position.seq > from;
    }
  }

  /** Does what waits, then takes part no longer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stopFollowing?.();
    while (this.#writing !== undefined) await this.#writing;
    await this.membership.close();
    await this.log.close();
  }

  #beginToWrite(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      // What came since it was looked.
      if (this.#queue.length > 0) this.#beginToWrite();
    });
  }

  async #write(): Promise<void> {
    // Those that come in the same turn go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      await this.#writeGroup(this.#queue.splice(0, MAX_WORKS));
      // Those who came second are slower, not less important.
      if (performance.now() - this.#othersWroteMs < CONTENDED_MS)
        await pause(Math.min(LONGEST_YIELD_MS, YIELD_APPENDS * this.#lastAppendMs));
    }
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const answerAll = (outcomes: readonly Outcome[]): void =>
      outcomes.forEach((outcome, at) => group[at]?.answer(outcome));
    const refuseAll = (thrown: unknown): void => answerAll(group.map(() => ({ thrown })));
    const untilMs = Math.min(...group.map((one) => one.untilMs));
    if (performance.now() > untilMs) {
      refuseAll(notTried());
      return;
    }
    try {
      const written = await this.#writeOrAgain(group, untilMs);
      if (written === undefined) {
        for (const one of group) await this.#writeGroup([one]);
        return;
      }
      // What is left comes next.
      this.#queue.unshift(...group.slice(written.outcomes.length));
      if (written.waitFor === undefined) answerAll(written.outcomes);
      // The next group does not wait for that.
      else {
        const refuse = (thrown: unknown): void => answerAll(written.outcomes.map(() => ({ thrown })));
        this.membership.allHaveApplied(written.waitFor).then(() => answerAll(written.outcomes), refuse);
      }
    } catch (thrown) {
      refuseAll(thrown);
    }
  }

  /** What works answered once their entry is applied here, and which entry all others must have; undefined where they are to be tried one by one. */
  async #writeOrAgain(
    group: readonly Waiting[],
    untilMs: number,
  ): Promise<{ outcomes: readonly Outcome[]; waitFor: number | undefined } | undefined> {
    let isConfirmed = false;
    for (let conflicts = 0; ; conflicts++) {
      const attempt = this.#attempt(group, BUDGET_MS / (1 + conflicts));
      if (attempt === undefined) return undefined;
      const { outcomes, changes } = attempt;
      const after = this.#position.seq;
      if (changes.length === 0) {
        // Refused, or nothing to do: as of now, and not as of what was applied a while ago.
        if (isConfirmed || !(await this.#patiently(untilMs, () => this.catchUp())))
          return { outcomes, waitFor: undefined };
        isConfirmed = true;
        continue;
      }
      const entry = {
        id: randomUUID(),
        data: encodeEntry({ after: this.#position.id, replica: this.#self.id, schema: FORMAT, changes }),
      };
      if (await this.#append(after, entry, untilMs)) {
        if (this.#position.seq === after) this.#applyOwn({ seq: after + 1, ...entry });
        return { outcomes, waitFor: this.#rightsSeq > after ? after + 1 : undefined };
      }
      this.counts.conflicts++;
      if (performance.now() > untilMs) throw tooLate();
      await this.#patiently(untilMs, () => this.catchUp());
    }
  }

  #attempt(group: readonly Waiting[], budgetMs: number): Attempt | undefined {
    try {
      return this.#db.attempt(
        group.map(({ work }) => work),
        budgetMs,
      );
    } catch (thrown) {
      if (group.length === 1) throw thrown;
      // What is the matter is found again by those whom it concerns.
      return undefined;
    }
  }

  /** An append whose answer was lost is asked for again: it is written once. */
  async #append(after: number, entry: { id: string; data: Buffer }, untilMs: number): Promise<boolean> {
    const begunMs = performance.now();
    this.#appending = after + 1;
    try {
      return await this.#patiently(untilMs, () => this.log.append(after, entry));
    } finally {
      this.#appending = undefined;
      this.counts.appends++;
      this.#lastAppendMs = performance.now() - begunMs;
      this.counts.appendSeconds += this.#lastAppendMs / 1000;
    }
  }

  /** Asks again where the store cannot be reached, up to then. */
  async #patiently<T>(untilMs: number, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await within(ask(), untilMs);
      } catch (thrown) {
        if (FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
        if (performance.now() >= untilMs || this.#isClosed) throw tooLate(thrown);
        this.counts.retries++;
        await pause(20 + Math.random() * 30);
      }
    }
  }

  /** The entry that follows what was applied; one that was is left alone. */
  #apply(entry: LogEntry): void {
    if (entry.seq <= this.#position.seq) return;
    if (entry.seq !== this.#position.seq + 1)
      throw new TypeError(`Entry ${entry.seq} follows ${this.#position.seq}.`);
    const { after: before, changes, replica, schema } = decodeEntry(entry.data, keysOf);
    if (before !== this.#position.id) throw wentAnotherWay(this.#position.seq);
    let rows = new AppliedRows();
    const { after } = this.#db.apply(() => {
      rows = applyRows(this.#db, changes);
      savePosition(this.#db, this.log.logId, entry);
      for (const one of this.#derived) one.applied(rows);
    });
    this.#position = { seq: entry.seq, id: entry.id };
    this.counts.applied++;
    if (replica !== this.#self.id) this.#othersWroteMs = performance.now();
    this.#newestFormat = Math.max(this.#newestFormat, schema);
    if (takesRights(rows)) {
      this.#rightsSeq = entry.seq;
      this.#unsettled ??= entry.seq;
    }
    for (const callback of after) {
      try {
        callback();
      } catch (thrown) {
        this.#textLog.error('a change could not be passed on', { error: thrown });
      }
    }
    if (this.#unsettled !== undefined && !this.#isSettling) void this.#settleRights();
  }

  /** What stands in the log was made, whether this replica can take it in or not. @throws FsError EHOSTDOWN where it cannot */
  #applyOwn(entry: LogEntry): void {
    try {
      this.#apply(entry);
    } catch (thrown) {
      // It is tried again there, and said what is the matter.
      void this.#follow();
      throw madeElsewhere(thrown);
    }
  }

  /** Says that a change of rights was applied once nobody is shown anything older. */
  async #settleRights(): Promise<void> {
    this.#isSettling = true;
    let seq;
    do {
      seq = this.#rightsSeq;
      await this.settle();
    } while (seq !== this.#rightsSeq);
    this.#unsettled = undefined;
    this.#isSettling = false;
    void this.membership.renew(true);
  }

  #headIs(head: Position, follow = true): void {
    if (head.seq > this.#head.seq) this.#head = head;
    if (follow && head.seq > this.#position.seq) void this.#follow();
  }

  #takeWake(): boolean {
    const woken = this.#wakeAgain && !this.#isClosed;
    this.#wakeAgain = false;
    return woken;
  }

  /** Applies what there is, and says so where others wait for it. */
  async #follow(): Promise<void> {
    this.#wakeAgain = true;
    if (this.#isFollowing || this.#isClosed) return;
    this.#isFollowing = true;
    while (this.#takeWake()) {
      try {
        await this.catchUp();
        this.#isStuck = false;
        this.membership.isAble = true;
      } catch (thrown) {
        const isAway = FsError.from(thrown).code === 'EHOSTDOWN';
        if (!isAway && !this.#isStuck)
          this.#textLog.error('the log cannot be followed: this replica will serve nothing', {
            error: thrown,
          });
        if (!isAway) {
          this.#isStuck = true;
          this.membership.isAble = false;
        }
      }
      this.membership.review();
    }
    this.#isFollowing = false;
  }

  #arm(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      void this.#follow().finally(() => this.#arm());
    }, POLL_MS);
  }
}
