import { join } from 'node:path';
import {
  callIdFrom,
  FsError,
  newInvocationId,
  type InvocationId,
  type JsonObject,
  type ServiceId,
} from '../core/index.js';
import { AdmissionQueue, Cancel, type CancelSignal, type Outcome } from '../drivers/index.js';
import { principalOf, type Session } from '../policy/index.js';
import type { CallVerdict as HealthEnd, EndCall } from '../supervise/index.js';
import { callSpan } from './call-span.js';
import type { Call, CallReply } from './call.js';
import type { Engine } from './engine.js';
import type { ServiceEnvironment } from './environment.js';
import { endFromError, failureReply, indented, keyReused, storedEnd } from './job-end.js';
import {
  isEnded,
  ownerOf,
  type EndedJob,
  type Job,
  type JobEnd,
  type JobOwner,
  type JobState,
  type KeyedJob,
} from './jobs/job.js';
import { JobStore } from './jobs/job-store.js';
import { Metrics, laterMetrics } from './metrics.js';
import type { Request } from './request/request.js';

const HEALTH_OF_STATE = new Map<JobState, HealthEnd>([
  ['ok', 'ok'],
  ['timeout', 'timeout'],
  ['cancelled', 'cancelled'],
]);

/** How much of a rejected request is kept for `request.json`. */
const KEPT_OF_REJECTED = 64 * 1024;

/** What an invoker asks of the service whose calls it runs. */
export interface InvokerHost {
  readonly id: ServiceId;
  readonly env: ServiceEnvironment;
  /** What runs the next call. */
  engine(): Engine;
  config(): JsonObject;
  /**
   * Lets a call in; the function that it returns takes how the call ended.
   * @throws FsError EPERM, EBUSY, EHOSTDOWN when no call is taken now
   */
  admit(): EndCall;
}

/** What belongs to a call beside its job. */
interface Begun {
  /** The traceparent of what caused it. */
  readonly cause: string | null;
  readonly reportEnd: EndCall;
}

/** Runs the invocations of one service: admits, queues, runs, and makes each outcome durable before it is reported. */
export class Invoker {
  readonly jobs: JobStore;
  readonly metrics = new Metrics();
  readonly queue: AdmissionQueue;
  readonly #host: InvokerHost;
  readonly #calls = new Map<Job, Call>();

  constructor(
    host: InvokerHost,
    limits: Engine['definition']['runtime']['limits'],
    savedMetrics: JsonObject,
  ) {
    this.#host = host;
    const { env } = host;
    this.queue = new AdmissionQueue(limits);
    const { store, interrupted } = JobStore.open({
      dir: join(env.jobsDir, host.id),
      limits: env.jobLimits,
      fsync: env.fsync,
      now: () => env.clock.now(),
      log: env.log,
      reserve: env.reserve,
    });
    this.jobs = store;
    this.metrics.restore(laterMetrics(store.recordedMetrics, savedMetrics));
    this.#recordLostEnd();
    for (const job of interrupted) this.#endInterrupted(job);
  }

  /**
   * Accepts a request and starts it, or queues it. The job is on disk when this returns.
   * @throws FsError EPERM, EBUSY, EEXIST when it is refused (the refusal is a job too).
   */
  submit(request: Request, session: Session, cause: string | null = null): Call {
    const { key } = request;
    const earlier = key === null ? undefined : this.#earlier(request, key.key, session);
    if (earlier !== undefined && earlier.keyDigest === key?.digest) return this.#callOf(earlier);
    if (earlier !== undefined) throw this.reject(request.bytes, keyReused(earlier.key), session);
    const reportEnd = this.#admit(request, session);
    const owner = ownerOf(session);
    const id = newInvocationId(this.#nowMs);
    try {
      this.#audit(owner, 'accepted', { invocation_id: id }, request.bytes);
      const job = this.#accept(owner, request, id);
      if (cause !== null) job.callId = callIdFrom(cause);
      this.#log(job, 'debug', 'A call begins.');
      return this.#start(job, request, session, { cause, reportEnd });
    } catch (thrown) {
      reportEnd('cancelled');
      this.jobs.showUnrecorded(owner, id, endFromError(FsError.from(thrown), null, this.#nowMs));
      throw thrown;
    }
  }

  /**
   * Records a request that will not run, and returns the error to answer with. Where it cannot be recorded it is
   * shown as the last outcome all the same.
   */
  reject(bytes: Uint8Array, error: FsError, session: Session): FsError {
    this.metrics.countRejection();
    const owner = ownerOf(session);
    const id = newInvocationId(this.#nowMs);
    const end = endFromError(error, null, this.#nowMs);
    try {
      this.#audit(owner, error.code, { invocation_id: id }, bytes);
      const job = this.jobs.accept(owner, bytes.subarray(0, KEPT_OF_REJECTED), { id, rejected: true });
      this.jobs.finish(job.endedWith(end), new Uint8Array(), this.metrics.toRecord());
    } catch (thrown) {
      this.#cannotRecord('A refused request could not be recorded.', id, thrown);
      this.jobs.showUnrecorded(owner, id, end);
    }
    return error;
  }

  cancel(job: Job, reason: FsError): void {
    this.#calls.get(job)?.cancel(reason);
  }

  /** Settles when the job has ended, at once where it has. */
  async ended(job: Job): Promise<void> {
    await this.#calls.get(job)?.ended;
  }

  /** Settles when what is running now has ended. */
  async idle(): Promise<void> {
    await Promise.all([...this.#calls.values()].map((call) => call.ended));
  }

  /** Ends what is running, and waits until it has ended. */
  async close(reason: FsError): Promise<void> {
    const calls = [...this.#calls.values()];
    for (const call of calls) call.cancel(reason);
    await Promise.all(calls.map((call) => call.ended));
    this.jobs.close();
  }

  get #nowMs(): number {
    return this.#host.env.clock.now();
  }

  /** The job that the key of a request names. @throws FsError EIO where it is damaged, EBUSY where no new one is taken. */
  #earlier(request: Request, key: string, session: Session): KeyedJob | undefined {
    try {
      const earlier = this.jobs.byKey(principalOf(session), key);
      const full = earlier === undefined ? this.jobs.keyRefusal(principalOf(session)) : null;
      if (full !== null) throw full;
      return earlier;
    } catch (thrown) {
      throw this.reject(request.bytes, FsError.from(thrown), session);
    }
  }

  #admit(request: Request, session: Session): EndCall {
    try {
      const full = this.queue.refusal();
      if (full !== null) throw full;
      return this.#host.admit();
    } catch (thrown) {
      throw this.reject(request.bytes, FsError.from(thrown), session);
    }
  }

  /** What is on record as accepted, and is not, ends on record too. */
  #accept(owner: JobOwner, request: Request, id: InvocationId): Job {
    try {
      return this.jobs.accept(owner, request.bytes, { id, key: request.key });
    } catch (thrown) {
      const { code } = FsError.from(thrown);
      this.#recordOutcome(owner, code, { invocation_id: id, state: 'error', exit_code: null });
      throw thrown;
    }
  }

  #start(job: Job, request: Request, session: Session, begun: Begun): Call {
    const cancel = new Cancel();
    const call: Call = {
      job,
      cancel: (reason) => cancel.abort(reason),
      ended: this.#run(job, request, session, cancel, begun),
    };
    this.#calls.set(job, call);
    return call;
  }

  async #run(
    job: Job,
    request: Request,
    session: Session,
    signal: CancelSignal,
    { cause, reportEnd }: Begun,
  ): Promise<CallReply> {
    const span = callSpan(this.#host, job, session, cause);
    let outcome: Outcome;
    let hasRun = false;
    try {
      const entered = this.queue.enter(signal);
      const leave = entered instanceof Promise ? await entered : entered;
      try {
        hasRun = true;
        outcome = await this.#invoke(job, request, session, signal, span?.traceparent ?? cause);
      } finally {
        leave();
      }
    } catch (thrown) {
      outcome = { ok: false, error: FsError.from(thrown), exitCode: null };
    }
    const end = this.#end(job, outcome);
    span?.end(end.error, { 'acheron.state': job.state });
    const isOfService = hasRun && (outcome.ok || outcome.ofRequest !== true);
    reportEnd(isOfService ? (HEALTH_OF_STATE.get(job.state) ?? 'failure') : 'cancelled');
    return end;
  }

  #invoke(
    job: Job,
    request: Request,
    session: Session,
    signal: CancelSignal,
    traceparent: string | null,
  ): Promise<Outcome> {
    const engine = this.#host.engine();
    const config = this.#host.config();
    job.startedAtMs = this.#nowMs;
    job.changed(job.startedAtMs);
    this.metrics.countStart(job.startedAtMs);
    return engine.invoke({
      id: job.id,
      nodeId: this.#host.env.nodeId,
      serviceId: this.#host.id,
      payload: request.bytes,
      caller: {
        role: session.role,
        agentId: session.agentId,
        projectId: session.project?.id ?? null,
        principal: principalOf(session),
      },
      deadlineMs: job.startedAtMs + engine.definition.runtime.limits.timeoutMs,
      config,
      traceparent,
      signal,
      onOutput: (stream, chunk) => this.#keepOutput(job, stream, chunk),
      onProgress: (progress) => job.says(progress, this.#nowMs),
      onQuestion: (question, stop) => job.questions.ask(question, stop),
    });
  }

  /** Output that cannot be kept ends the call: its outcome could not be kept either. */
  #keepOutput(job: Job, stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    try {
      this.jobs.appendOutput(job, stream, chunk);
    } catch (thrown) {
      this.cancel(job, FsError.from(thrown));
    }
  }

  /** Makes the outcome durable, then reports it. */
  #end(job: Job, given: Outcome): CallReply {
    const outcome = this.#withFiles(job, indented(given));
    this.#calls.delete(job);
    const end: JobEnd = outcome.ok
      ? {
          state: 'ok',
          exitCode: outcome.exitCode,
          errno: null,
          error: null,
          hint: null,
          finishedAtMs: this.#nowMs,
        }
      : endFromError(outcome.error, outcome.exitCode, this.#nowMs);
    const result = outcome.ok ? Buffer.from(outcome.result) : Buffer.alloc(0);
    let failure = outcome.ok ? null : outcome.error;
    if (job.startedAtMs !== null || end.state === 'cancelled') this.metrics.countEnd(end, job);
    const ended = job.endedWith(end);
    try {
      this.jobs.finish(ended, result, this.metrics.toRecord());
    } catch (thrown) {
      failure = FsError.from(thrown);
      this.#cannotRecord('An outcome could not be written to the state directory.', job.id, thrown);
    }
    this.#recordEnd(ended);
    this.#log(ended, 'info', 'A call has ended.');
    this.#host.env.emit({
      type: 'invocation_finished',
      serviceId: this.#host.id,
      principal: job.owner.principal,
      facts: { invocation_id: job.id, state: job.state },
    });
    return { error: failure, reply: failure === null ? result : failureReply(ended) };
  }

  /** Its files are kept before it has ended; one that cannot be is a failure. */
  #withFiles(job: Job, outcome: Outcome): Outcome {
    try {
      if (outcome.ok)
        for (const { name, bytes } of outcome.files ?? []) this.jobs.appendFile(job, name, bytes);
      return outcome;
    } catch (thrown) {
      return { ok: false, error: FsError.from(thrown), exitCode: outcome.exitCode };
    }
  }

  #endInterrupted(job: Job): void {
    const end: JobEnd = {
      state: 'error',
      exitCode: null,
      errno: 'EIO',
      error: 'interrupted',
      hint: 'The node was stopped while this ran. It was not run again.',
      finishedAtMs: this.#nowMs,
    };
    job.startedAtMs = job.acceptedAtMs;
    this.metrics.countStart(job.startedAtMs);
    this.metrics.countEnd(end, job);
    const ended = job.endedWith(end);
    this.jobs.finish(ended, new Uint8Array(), this.metrics.toRecord());
    this.#recordEnd(ended);
  }

  /** The call of a job that a `_key` names: still running, or as it ended. */
  #callOf(job: Job): Call {
    const running = this.#calls.get(job);
    if (running !== undefined) return running;
    if (!isEnded(job)) throw new TypeError(`The job ${job.id} neither runs nor has it ended.`);
    return { job, cancel: () => undefined, ended: Promise.resolve(storedEnd(job)) };
  }

  /** The one end that a kill can have kept from the audit log: that of the job that ended last. */
  #recordLostEnd(): void {
    const job = this.jobs.lastFinished;
    if (job === null || job.rejected) return;
    if (!this.#host.env.auditedEnd(job.id, job.end.finishedAtMs)) this.#recordEnd(job);
  }

  #recordEnd(job: EndedJob): void {
    const { state, errno, exitCode } = job.end;
    this.#recordOutcome(job.owner, errno ?? 'ok', { invocation_id: job.id, state, exit_code: exitCode });
  }

  #log(job: Job, level: 'debug' | 'info', message: string): void {
    const { end, startedAtMs, owner } = job;
    const outcome = end === null ? {} : { state: end.state, errno: end.errno ?? undefined };
    const ms = end === null || startedAtMs === null ? undefined : end.finishedAtMs - startedAtMs;
    const ids = { invocation_id: job.id, call: job.callId, service: this.#host.id };
    const facts = { ...ids, by: owner.principal, ...outcome, ms };
    this.#host.env.log[level](message, facts);
  }

  /** Its acceptance is on record already; an end that cannot be added is logged for the operator. */
  #recordOutcome(
    by: JobOwner,
    outcome: string,
    facts: JsonObject & { readonly invocation_id: InvocationId },
  ): void {
    try {
      this.#host.env.reserve.use(() => this.#audit(by, outcome, facts));
    } catch (thrown) {
      const what = 'The end of an invocation could not be added to the audit log.';
      this.#cannotRecord(what, facts.invocation_id, thrown);
    }
  }

  #cannotRecord(what: string, invocation: InvocationId, thrown: unknown): void {
    const error = FsError.from(thrown).message;
    this.#host.env.log.error(what, { service: this.#host.id, invocation_id: invocation, error });
  }

  #audit(by: JobOwner, outcome: string, facts: JsonObject, payload?: Uint8Array): void {
    const { id: serviceId, env } = this.#host;
    env.audit({
      by,
      act: 'invoke',
      serviceId,
      outcome,
      facts,
      ...(payload === undefined ? {} : { payload }),
    });
  }
}
