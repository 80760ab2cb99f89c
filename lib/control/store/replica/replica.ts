import {
  Membership,
  type LogEntry,
  type MemberFacts,
  type Position,
  type ReplicatedLog,
} from '../../../cluster/index.js';
import { FsError, silentLog, type Log } from '../../../core/index.js';
import type { ControlDatabase } from '../database.js';
import { FORMAT } from '../migrations.js';
import { applyRows } from './apply-rows.js';
import { decodeEntry } from './entry.js';
import { madeElsewhere, notServing, wentAnotherWay } from './patience.js';
import { positionIn, savePosition } from './position.js';
import { AppliedRows, keysOf, type Derived } from './row-changes.js';
import { takesRights } from './rights.js';
import { Writer, type WriteCounts } from './writer.js';

/** The log is looked at so often, whether somebody says that there is something or not. */
const POLL_MS = 200;
const ENTRIES_AT_ONCE = 256;

export interface ReplicaOptions {
  /** Caught up with the log once, and bound to it. */
  readonly db: ControlDatabase;
  readonly log: ReplicatedLog;
  readonly self: Omit<MemberFacts, 'address'>;
  readonly textLog?: Log;
  readonly leaseMs?: number;
}

/** What is counted, for metrics. */
export interface ReplicaCounts extends WriteCounts {
  applied: number;
}

/**
 * One of several control planes over one log. A change is worked out here against what was applied, becomes an entry if the log stands
 * where we saw it, and is applied as anybody's entry is: works whose entry came second are run again.
 */
export class Replica {
  readonly membership: Membership;
  readonly log: ReplicatedLog;
  readonly counts: ReplicaCounts = {
    ...{ appends: 0, appendSeconds: 0, conflicts: 0, turns: 0, missedTurns: 0, retries: 0, applied: 0 },
  };
  readonly #db: ControlDatabase;
  readonly #textLog: Log;
  #position: Position;
  #head: Position;
  #derived: readonly Derived[] = [];
  /** The newest entry that took rights. */
  #rightsSeq = 0;
  /** The first such entry of which not everybody here was notified yet. */
  #unsettled: number | undefined;
  #isSettling = false;
  #newestFormat = FORMAT;
  /** What to wait for before it can be said that a change of rights is in force here. */
  settle: () => Promise<unknown> | undefined = () => undefined;
  readonly #writer: Writer;
  #isFollowing = false;
  #wakeAgain = false;
  #stopFollowing: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isStuck = false;

  constructor({ db, log, self, textLog = silentLog, leaseMs }: ReplicaOptions) {
    this.#db = db;
    this.log = log;
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
    this.#writer = new Writer({
      ...{ db, log, selfId: self.id, counts: this.counts },
      position: () => this.#position,
      catchUp: () => this.catchUp(),
      applyRead: (asked, { entries, head }) => this.#applyRead(asked, entries, head),
      applyOwn: (entry) => this.#applyOwn(entry),
      known: (seq) => (this.#rightsSeq < seq ? undefined : this.membership.allHaveApplied(seq)),
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
      else if (appended <= this.#position.seq || appended === this.#writer.appending) return;
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
    return this.#writer.submit(work);
  }

  /** Applies what the log has by now; what is read afterwards is no older than the question. @throws FsError EHOSTDOWN */
  async catchUp(): Promise<boolean> {
    const from = this.#position.seq;
    for (;;) {
      const asked = this.#position;
      const { entries, head } = await this.log.read(asked.seq, ENTRIES_AT_ONCE);
      this.#applyRead(asked, entries, head);
      if (this.#position.seq >= head.seq) return this.#position.seq > from;
    }
  }

  /** Does what waits, then takes part no longer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stopFollowing?.();
    await this.#writer.close();
    await this.membership.close();
    await this.log.close();
  }

  /** What was read behind `asked`. */
  #applyRead(asked: Position, entries: readonly LogEntry[], head: Position): void {
    // It had our entry once. A database that was restored, or a standby that lacked it and was promoted, has not.
    if (head.seq < asked.seq || (head.seq === asked.seq && head.id !== asked.id))
      throw wentAnotherWay(this.#position.seq);
    this.#headIs(head, false);
    for (const entry of entries) this.#apply(entry);
  }

  /** The entry that follows what was applied; one that was is left alone. */
  #apply(entry: LogEntry): void {
    if (entry.seq <= this.#position.seq) return;
    if (entry.seq !== this.#position.seq + 1)
      throw new TypeError(`Entry ${entry.seq} follows ${this.#position.seq}.`);
    const { after: before, changes, schema } = decodeEntry(entry.data, keysOf);
    if (before !== this.#position.id) throw wentAnotherWay(this.#position.seq);
    let rows = new AppliedRows();
    const { after } = this.#db.apply(() => {
      rows = applyRows(this.#db, changes);
      savePosition(this.#db, this.log.logId, entry);
      for (const one of this.#derived) one.applied(rows);
    });
    this.#position = { seq: entry.seq, id: entry.id };
    this.counts.applied++;
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
