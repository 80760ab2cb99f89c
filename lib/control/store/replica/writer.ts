import { randomUUID } from 'node:crypto';
import type { LogEntry, NewEntry, Position, ReplicatedLog, Turn } from '../../../cluster/index.js';
import { FsError } from '../../../core/index.js';
import type { Attempt, ControlDatabase, Outcome } from '../database.js';
import { FORMAT } from '../migrations.js';
import { encodeEntry } from './entry.js';
import { notTried, pause, tooLate, answeredBefore } from './patience.js';

/** Works of one entry: it is not to keep others waiting for long. */
const MAX_WORKS = 128;
/** How long the store may not answer before a change is answered that it cannot be made. */
export const WRITE_MS = 4_000;
/** Works of one entry are worked out in so long, or less with each time that they came second: others write meanwhile. */
const BUDGET_MS = 40;
/** Others write at the same time, as long as it was not longer ago that they came first, or would have. */
const CONTENDED_MS = 1_000;
const ENTRIES_OF_A_TURN = 64;

interface Waiting {
  readonly work: () => unknown;
  readonly answer: (outcome: Outcome) => void;
  readonly sinceMs: number;
  /** Something was the matter where it was tried with others. */
  isAlone: boolean;
}

/** How an entry gets into the log: in a turn, or by itself, where it yields to those who take turns or not. */
interface Way {
  readonly turn: Turn | undefined;
  readonly yields: boolean;
}

/** What is counted, for metrics. */
export interface WriteCounts {
  appends: number;
  appendSeconds: number;
  conflicts: number;
  /** Turns at the head of the log, and those that did not come in time. */
  turns: number;
  missedTurns: number;
  /** The store was asked once more, since it could not be reached. */
  retries: number;
}

export interface WriterOptions {
  readonly db: ControlDatabase;
  readonly log: ReplicatedLog;
  readonly selfId: string;
  readonly counts: WriteCounts;
  /** Where the copy is. */
  readonly position: () => Position;
  /** Applies what the log has by now; whether that was anything. */
  readonly catchUp: () => Promise<boolean>;
  readonly applyRead: (asked: Position, read: Pick<Turn, 'entries' | 'head'>) => void;
  readonly applyOwn: (entry: LogEntry) => void;
  /** What is to be waited for before an entry is acknowledged. */
  readonly known: (seq: number) => Promise<void> | undefined;
}

/**
 * Works out what is to be changed, a group of works at a time, and appends it as one entry behind what was applied. Whose entry came
 * second is run again. Where others write at the same time each takes its turn first, so that no work is run twice.
 */
export class Writer {
  readonly #options: WriterOptions;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #isClosed = false;
  /** The number of the entry that is on its way. */
  #appending: number | undefined;
  /** The store answered, be it that another came first. */
  #answeredMs = -Infinity;
  #contendedMs = -Infinity;
  /** Of the group that is next, one after the other. */
  #conflicts = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  get appending(): number | undefined {
    return this.#appending;
  }

  /** Answers what `work` did once it is in the log, and applied here. It may be run again after it was undone. */
  submit<T>(work: () => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(new FsError('EHOSTDOWN', 'The control plane stops.'));
    return new Promise((resolve, reject) => {
      this.#queue.push({
        work,
        sinceMs: performance.now(),
        isAlone: false,
        answer: (outcome) => {
          if ('value' in outcome) resolve(outcome.value as T);
          else reject(outcome.thrown instanceof Error ? outcome.thrown : FsError.from(outcome.thrown));
        },
      });
      this.#beginToWrite();
    });
  }

  /** Does what waits; nothing is taken any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#writing !== undefined) await this.#writing;
  }

  #beginToWrite(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      // What came since it was looked.
      if (this.#queue.length > 0) this.#beginToWrite();
    });
  }

  async #write(): Promise<void> {
    // Those that come in the same turn of the event loop go together.
    await new Promise((resolve) => setImmediate(resolve));
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0])
      await this.#writeNext(first);
  }

  async #writeNext(first: Waiting): Promise<void> {
    let group: Waiting[] = [];
    let way: Way = { turn: undefined, yields: true };
    try {
      if (performance.now() - this.#contendedMs < CONTENDED_MS)
        way = await this.#beginTurn(this.#untilMs(first));
      // What came while the turn was waited for goes along.
      group = this.#takeGroup();
      if (group.length > 0) await this.#writeGroup(group, way);
    } catch (thrown) {
      const isAway = group.length === 0 && FsError.from(thrown).code === 'EHOSTDOWN';
      if (group.length === 0) group = this.#takeGroup();
      for (const one of group) one.answer({ thrown: isAway ? notTried() : thrown });
    } finally {
      await way.turn?.end().catch(() => undefined);
    }
  }

  /** Those that go next; who has waited for too long is refused. */
  #takeGroup(): Waiting[] {
    const [first] = this.#queue;
    const group = this.#queue.splice(0, first?.isAlone === true ? 1 : MAX_WORKS);
    const now = performance.now();
    return group.filter((one) => {
      const isInTime = now <= this.#untilMs(one);
      if (!isInTime) one.answer({ thrown: notTried() });
      return isInTime;
    });
  }

  #putBack(group: readonly Waiting[]): void {
    this.#queue.unshift(...group);
  }

  /** So long it waits for a store that says nothing. One that has much to do is waited for. */
  #untilMs({ sinceMs }: Waiting): number {
    return Math.max(sinceMs, this.#answeredMs) + WRITE_MS;
  }

  /** Where it does not come in time what others wrote is read at least, and the entry waits for nobody. */
  async #beginTurn(untilMs: number): Promise<Way> {
    const { log, position, applyRead, catchUp, counts } = this.#options;
    const { seq: firstSeq } = position();
    let asked = position();
    const turn = await this.#patiently(untilMs, () => {
      asked = position();
      return log.beginTurn(asked.seq, ENTRIES_OF_A_TURN);
    });
    this.#answeredMs = performance.now();
    counts.turns++;
    if (turn === undefined) counts.missedTurns++;
    try {
      if (turn !== undefined) applyRead(asked, turn);
      if (turn === undefined || position().seq < turn.head.seq) await this.#patiently(untilMs, catchUp);
    } catch (thrown) {
      await turn?.end().catch(() => undefined);
      throw thrown;
    }
    if (position().seq > firstSeq) this.#contendedMs = performance.now();
    return { turn, yields: turn !== undefined };
  }

  async #writeGroup(group: readonly Waiting[], way: Way): Promise<void> {
    const { position, catchUp, selfId, applyOwn, known } = this.#options;
    const untilMs = Math.min(...group.map((one) => this.#untilMs(one)));
    let isAsOfNow = way.turn !== undefined;
    let attempt = this.#attempt(group);
    // Refused, or nothing to do: as of now, and not as of what was applied a while ago.
    while (attempt?.changes.length === 0 && !isAsOfNow) {
      isAsOfNow = true;
      if (await this.#patiently(untilMs, catchUp)) attempt = this.#attempt(group);
    }
    if (attempt === undefined) {
      for (const one of group) one.isAlone = true;
      this.#putBack(group);
      return;
    }
    const { outcomes, changes } = attempt;
    const answerAll = (thrown?: unknown): void =>
      outcomes.forEach((outcome, at) => group[at]?.answer(thrown === undefined ? outcome : { thrown }));
    const left = group.slice(outcomes.length);
    if (changes.length === 0) {
      this.#putBack(left);
      answerAll();
      return;
    }
    const { seq: after, id: before } = position();
    const data = encodeEntry({ after: before, replica: selfId, schema: FORMAT, changes });
    const entry = { id: randomUUID(), data };
    let isWritten: boolean;
    try {
      isWritten = await this.#append(after, entry, way, untilMs);
    } catch (thrown) {
      this.#putBack(left);
      answerAll(thrown);
      return;
    }
    this.#putBack(isWritten ? left : group);
    if (!isWritten) return;
    try {
      if (position().seq === after) applyOwn({ seq: after + 1, ...entry });
      // The next group does not wait for that.
      const isKnown = known(after + 1);
      if (isKnown === undefined) answerAll();
      else isKnown.then(() => answerAll(), answerAll);
    } catch (thrown) {
      answerAll(thrown);
    }
  }

  /** Undefined where they are to be tried one by one. */
  #attempt(group: readonly Waiting[]): Attempt | undefined {
    const works = group.map(({ work }) => work);
    try {
      return this.#options.db.attempt(works, BUDGET_MS / (1 + this.#conflicts));
    } catch (thrown) {
      if (group.length === 1) throw thrown;
      // What is the matter is found again by those whom it concerns.
      return undefined;
    }
  }

  /** An append whose answer was lost is asked for again: it is written once. */
  async #append(after: number, entry: NewEntry, { turn, yields }: Way, untilMs: number): Promise<boolean> {
    const { log, counts } = this.#options;
    const begunMs = performance.now();
    this.#appending = after + 1;
    try {
      // Once its answer was lost it is asked for until it is known what became of it, and that takes no turns.
      const again = (): Promise<boolean> => log.append(after, entry);
      let ask =
        turn === undefined
          ? () => log.append(after, entry, { yields })
          : () => turn.append(after, entry).catch(again);
      const isWritten = await this.#patiently(untilMs, () => {
        const asked = ask;
        ask = again;
        return asked();
      });
      this.#answeredMs = performance.now();
      this.#conflicts = isWritten ? 0 : this.#conflicts + 1;
      if (!isWritten) {
        counts.conflicts++;
        this.#contendedMs = performance.now();
      }
      return isWritten;
    } finally {
      this.#appending = undefined;
      counts.appends++;
      counts.appendSeconds += (performance.now() - begunMs) / 1000;
    }
  }

  /** Asks again where the store cannot be reached, up to then. */
  async #patiently<T>(untilMs: number, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await answeredBefore(ask(), untilMs);
      } catch (thrown) {
        if (FsError.from(thrown).code !== 'EHOSTDOWN') throw thrown;
        if (performance.now() >= untilMs || this.#isClosed) throw tooLate(thrown);
        this.#options.counts.retries++;
        await pause(20 + Math.random() * 30);
      }
    }
  }
}
