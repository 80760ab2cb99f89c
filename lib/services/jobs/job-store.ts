import { join } from 'node:path';
import { FsError, type InvocationId, type JsonObject, type Log } from '../../core/index.js';
import { isNoSpace, SegmentLog, type DiskReserve, type Extent } from '../../disk/index.js';
import { acceptHeader, finishHeader } from './job-records.js';
import { FOR_ENDS, SMALL_RESULT, type JobLimits } from './job-limits.js';
import {
  Job,
  isEnded,
  isKeyed,
  type EndedJob,
  type Holder,
  type JobEnd,
  type JobOwner,
  type KeyedJob,
} from './job.js';
import { keepFormat1 } from './keep-format1.js';
import { KeyJournal } from './keys/key-journal.js';
import { keyName, keyNameOf } from './keys/key-name.js';
import { reconcileKeys } from './keys/reconcile-keys.js';
import { LogCleaner } from './log-cleaner.js';
import { replayJobs } from './replay-jobs.js';

export interface JobStoreOptions {
  readonly dir: string;
  readonly limits: JobLimits;
  readonly fsync: boolean;
  readonly now: () => number;
  readonly log: Log;
  readonly reserve: DiskReserve;
}

/** What a principal sees in `status.json`, `result.json` and `last_error.txt`. */
export interface Outcomes {
  last: Job | null;
  lastSuccess: Job | null;
  changedAtMs: number;
}

interface Principal {
  readonly outcomes: Outcomes;
  /** Finished and listed, oldest first. */
  readonly finished: Set<Job>;
  readonly rejected: Set<Job>;
  finishedBytes: number;
}

/**
 * The jobs of one service, durable: what was acknowledged is in the log before anyone is answered. Keeps the
 * newest of each principal and the last outcomes; what a `_key` promises is in the journal of keys.
 */
export class JobStore {
  readonly #options: JobStoreOptions;
  readonly #log: SegmentLog;
  readonly #jobs = new Map<string, Job>();
  readonly #principals = new Map<string, Principal>();
  /** Those of the jobs that have one. */
  readonly #keys = new Map<string, KeyedJob>();
  readonly #journal: KeyJournal;
  readonly #cleaner: LogCleaner;
  readonly #live = new Set<Job>();
  /** Up to which finish the outcomes of a principal (null: of all) were reset. */
  readonly #resets = new Map<string | null, number>();
  #sequence = 0;
  #metrics: JsonObject | null = null;

  private constructor(options: JobStoreOptions) {
    this.#options = options;
    this.#log = new SegmentLog(options.dir, {
      fsync: options.fsync,
      preface: () => ({ n: this.#sequence, metrics: this.#metrics, resets: [...this.#resets] }),
      log: options.log,
      segmentBytes: options.limits.segmentBytes,
    });
    const { dir, limits, fsync, now, log, reserve } = options;
    this.#cleaner = new LogCleaner(this.#log, this.#jobs, reserve, log);
    this.#journal = new KeyJournal({ ...limits, dir: join(dir, 'keys'), fsync, now, log });
  }

  /** Opens the store; what was running when the node died is handed to `interrupted`, to be ended. */
  static open(options: JobStoreOptions): { store: JobStore; interrupted: readonly Job[] } {
    keepFormat1(options.dir);
    const store = new JobStore(options);
    store.#replay();
    return { store, interrupted: [...store.#live] };
  }

  /** The job that ended last, if it is still listed. */
  get lastFinished(): EndedJob | null {
    let last: EndedJob | null = null;
    for (const job of this.#jobs.values())
      if (isEnded(job) && job.finishSequence > (last?.finishSequence ?? 0)) last = job;
    return last;
  }

  /** The metrics that were recorded with the newest finished job, if any. */
  get recordedMetrics(): JsonObject | null {
    return this.#metrics;
  }

  accept(
    owner: JobOwner,
    request: Uint8Array,
    facts: {
      readonly id: InvocationId;
      readonly key?: { key: string; digest: string } | null;
      readonly rejected?: boolean;
    },
  ): Job {
    const { id, key = null, rejected = false } = facts;
    const job = new Job(this.#log, {
      id,
      owner,
      acceptedAtMs: this.#options.now(),
      rejected,
      key: key?.key ?? null,
      keyDigest: key?.digest ?? null,
    });
    job.request.add(this.#append(acceptHeader(job), request));
    if (isKeyed(job)) this.#acceptKey(job);
    this.#adopt(job);
    return job;
  }

  /** Shows as the last outcome what could not even be recorded, for as long as the node runs. */
  showUnrecorded(owner: JobOwner, id: InvocationId, end: JobEnd): void {
    const facts = { id, owner, acceptedAtMs: end.finishedAtMs, rejected: true, key: null, keyDigest: null };
    const job = new Job(this.#log, facts).endedWith(end);
    job.finishSequence = ++this.#sequence;
    this.#settle(job);
  }

  appendOutput(job: Job, stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    job[stream].add(this.#append({ t: 'out', id: job.id, s: stream, at: job[stream].size }, chunk));
    job.changed(this.#options.now());
  }

  appendFile(job: Job, name: string, bytes: Uint8Array): void {
    job.fileNamed(name).add(this.#append({ t: 'file', id: job.id, name }, bytes));
  }

  /**
   * Keeps how a job ended; durable when it returns. `metrics` are the service's, this job counted in.
   * @throws FsError when the log cannot take it: the job has ended all the same, as failed. That is durable too, as
   * long as there is space in reserve.
   */
  finish(job: EndedJob, result: Uint8Array, metrics: JsonObject): void {
    const { reserve } = this.#options;
    const { end } = job;
    job.finishSequence = ++this.#sequence;
    job.cancel = null;
    try {
      if (result.length <= SMALL_RESULT) reserve.use(() => this.#recordEnd(job, result, metrics));
      else this.#recordEnd(job, result, metrics);
    } catch (thrown) {
      const { code, message, hint } = FsError.from(thrown);
      job.endedWith({ ...end, state: 'error', errno: code, error: message, hint: hint ?? null });
      if (result.length > SMALL_RESULT && isNoSpace(thrown))
        reserve.use(() => this.#recordEnd(job, new Uint8Array(), metrics));
      throw thrown;
    } finally {
      this.#settle(job);
      job.changed(end.finishedAtMs);
      this.#evict(this.#principal(job.owner.principal));
    }
  }

  find(id: string): Job | undefined {
    const job = this.#jobs.get(id);
    return job?.holders.has('listed') === true ? job : undefined;
  }

  /** Listed jobs, oldest first; all principals' when `principal` is null. */
  list(principal: string | null): Job[] {
    const jobs = [...this.#jobs.values()].filter(
      (job) => job.holders.has('listed') && (principal === null || job.owner.principal === principal),
    );
    return jobs.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Those that are queued or running. */
  live(principal: string | null): Job[] {
    return [...this.#live].filter((job) => principal === null || job.owner.principal === principal);
  }

  /**
   * The job of a key: in `jobs/`, or as what is kept of it.
   * @throws FsError EIO when what is kept of the key is damaged.
   */
  byKey(principal: string, key: string): KeyedJob | undefined {
    return this.#keys.get(keyName(principal, key)) ?? this.#journal.find(principal, key);
  }

  /** The newest jobs with a key, oldest first. */
  keyed(principal: string, max: number): KeyedJob[] {
    return this.#journal.newest(principal, max).map((job) => this.#keys.get(keyNameOf(job)) ?? job);
  }

  /** When the newest key of a principal was accepted. */
  newestKeyMs(principal: string): number | null {
    return this.#journal.newestMs(principal);
  }

  /** Why a principal can have no new key now; null when it can. */
  keyRefusal(principal: string): FsError | null {
    return this.#journal.refusal(principal);
  }

  outcomes(principal: string): Outcomes | undefined {
    return this.#principals.get(principal)?.outcomes;
  }

  /** Takes the job out of `jobs/`; a running one goes when it has ended. */
  forget(job: Job): void {
    const { reserve } = this.#options;
    reserve.use(() => this.#log.append({ t: 'forget', id: job.id }));
    this.#unlist(job);
    if (reserve.isShort()) this.#cleaner.makeRoom();
    else this.#cleaner.tidy();
  }

  /** `control/reset`: no last outcome any more, for one principal or for all. */
  reset(principal: string | null): void {
    const record = { t: 'reset', principal, n: this.#sequence };
    this.#options.reserve.use(() => this.#log.append(record), FOR_ENDS);
    this.#resets.set(principal, this.#sequence);
    this.#resetOutcomes(principal, this.#options.now());
    this.#cleaner.tidy();
  }

  sync(): void {
    this.#log.sync();
    this.#journal.sync();
  }

  close(): void {
    this.#log.close();
    this.#journal.close();
  }

  /** On a full disk, what is dead in the log goes first. */
  #append(header: JsonObject, body: Uint8Array): Extent {
    try {
      return this.#log.append(header, body);
    } catch (thrown) {
      if (!isNoSpace(thrown) || !this.#cleaner.makeRoom()) throw thrown;
      return this.#log.append(header, body);
    }
  }

  /** When it throws, nothing has changed. */
  #recordEnd(job: EndedJob, result: Uint8Array, metrics: JsonObject): void {
    const extent = this.#log.append(finishHeader(job, metrics), result);
    job.result.add(extent);
    try {
      const keyed = this.#keys.get(keyNameOf(job));
      if (keyed === job) this.#journal.end(keyed, result);
    } catch (thrown) {
      job.result.release();
      this.#log.undo();
      throw thrown;
    }
    this.#metrics = metrics;
  }

  #adopt(job: Job): void {
    this.#jobs.set(job.id, job);
    this.#live.add(job);
    job.holders.add('listed');
    if (isKeyed(job)) this.#keys.set(keyNameOf(job), job);
  }

  /** A job whose key cannot be kept must not run: it is taken back. */
  #acceptKey(job: KeyedJob): void {
    try {
      this.#journal.accept(job);
    } catch (thrown) {
      job.request.release();
      this.#log.undo();
      throw thrown;
    }
  }

  /** Places a finished job where its principal sees it. */
  #settle(job: EndedJob): void {
    this.#live.delete(job);
    const principal = this.#principal(job.owner.principal);
    const { outcomes } = principal;
    outcomes.changedAtMs = job.end.finishedAtMs;
    this.#replace(outcomes, 'last', 'last', job);
    if (job.end.state === 'ok') this.#replace(outcomes, 'lastSuccess', 'result', job);
    if (!job.holders.has('listed')) {
      this.#shrink(job);
      return;
    }
    if (job.rejected) principal.rejected.add(job);
    else {
      principal.finished.add(job);
      principal.finishedBytes += job.bytes;
    }
  }

  #replace(outcomes: Outcomes, slot: 'last' | 'lastSuccess', holder: Holder, job: Job | null): void {
    const before = outcomes[slot];
    outcomes[slot] = job;
    job?.holders.add(holder);
    if (before !== null && before !== job) this.#letGo(before, holder);
  }

  #resetOutcomes(principal: string | null, nowMs: number): void {
    for (const [name, { outcomes }] of this.#principals) {
      if (principal !== null && principal !== name) continue;
      this.#replace(outcomes, 'last', 'last', null);
      this.#replace(outcomes, 'lastSuccess', 'result', null);
      outcomes.changedAtMs = nowMs;
    }
  }

  #evict(principal: Principal): void {
    const { limits } = this.#options;
    for (const job of principal.finished) {
      if (principal.finished.size <= limits.keep && principal.finishedBytes <= limits.keepBytes) break;
      if (principal.finished.size === 1) break;
      this.#unlist(job);
    }
    for (const job of principal.rejected) {
      if (principal.rejected.size <= limits.keep) break;
      this.#unlist(job);
    }
    this.#cleaner.tidy();
  }

  #unlist(job: Job): void {
    const principal = this.#principal(job.owner.principal);
    if (principal.finished.delete(job)) principal.finishedBytes -= job.bytes;
    principal.rejected.delete(job);
    this.#letGo(job, 'listed');
  }

  #letGo(job: Job, holder: Holder): void {
    job.holders.delete(holder);
    if (job.end !== null) this.#shrink(job);
  }

  /** Frees what nobody can reach: all of a job without holders, the output of an unlisted one. */
  #shrink(job: Job): void {
    if (job.holders.has('listed')) return;
    for (const blob of job.output) blob.release();
    if (job.holders.size > 0) return;
    job.request.release();
    job.result.release();
    this.#jobs.delete(job.id);
    if (this.#keys.get(keyNameOf(job)) === job) this.#keys.delete(keyNameOf(job));
  }

  #principal(name: string): Principal {
    let principal = this.#principals.get(name);
    if (principal === undefined) {
      principal = {
        outcomes: { last: null, lastSuccess: null, changedAtMs: 0 },
        finished: new Set(),
        rejected: new Set(),
        finishedBytes: 0,
      };
      this.#principals.set(name, principal);
    }
    return principal;
  }

  /** Rebuilds everything from the log: first what is there, then, in the order of finishing, what it means. */
  #replay(): void {
    const replayed = replayJobs(this.#log, this.#options.log);
    this.#sequence = replayed.sequence;
    this.#metrics = replayed.metrics;
    for (const [principal, upTo] of replayed.resets) this.#resets.set(principal, upTo);
    const jobs = [...replayed.jobs.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const job of jobs) {
      this.#adopt(job);
      if (replayed.unlisted.has(job.id)) job.holders.delete('listed');
    }
    const { now, limits } = this.#options;
    reconcileKeys(this.#keys.values(), this.#log, this.#journal, now() - limits.keyMs);
    const finished = jobs.filter(isEnded).sort((a, b) => a.finishSequence - b.finishSequence);
    for (const job of finished) {
      this.#sequence = Math.max(this.#sequence, job.finishSequence);
      this.#settle(job);
    }
    for (const [name, principal] of this.#principals) {
      const upTo = Math.max(this.#resets.get(name) ?? -1, this.#resets.get(null) ?? -1);
      const { last, lastSuccess } = principal.outcomes;
      if (last !== null && last.finishSequence <= upTo)
        this.#replace(principal.outcomes, 'last', 'last', null);
      if (lastSuccess !== null && lastSuccess.finishSequence <= upTo)
        this.#replace(principal.outcomes, 'lastSuccess', 'result', null);
      this.#evict(principal);
    }
  }
}
