import { join } from 'node:path';
import { FsError, indentJson, isJsonObject, type JsonObject, type ServiceId } from '../core/index.js';
import type { Driver, Outcome } from '../drivers/index.js';
import { InvocationQueue } from './invocation-queue.js';
import type { ServiceDefinition } from '../manifest/index.js';
import type { Action, Session } from '../policy/index.js';
import { principalOf } from '../policy/index.js';
import type { Call, CallEnd } from './call.js';
import type { AuditRecord, ServiceEnvironment } from './environment.js';
import { ownerOf, type Job, type JobEnd, type JobState } from './jobs/job.js';
import { JobStore } from './jobs/job-store.js';
import { Metrics } from './metrics.js';
import type { InputCheck, Request } from './request/request.js';
import { ServiceGate } from './service-gate.js';
import type { ServiceState } from './service-state.js';

/** How much of a rejected request is kept for `request.json`. */
const KEPT_OF_REJECTED = 64 * 1024;

/** What runs calls at present; replaced as a whole when the definition changes. */
interface Engine {
  readonly definition: ServiceDefinition;
  readonly driver: Driver | null;
  readonly check: InputCheck;
  inFlight: number;
  retired: boolean;
}

/**
 * One service of this node: its definition and what it owns (enabled, config, metrics, jobs). All that
 * happens to a service happens through its methods; the files of its directory are views of it.
 */
export class Service {
  readonly id: ServiceId;
  readonly gate: ServiceGate;
  readonly jobs: JobStore;
  readonly metrics = new Metrics();
  readonly #env: ServiceEnvironment;
  readonly #queue: InvocationQueue;
  readonly #calls = new Map<Job, Call>();
  #engine: Engine;
  #enabled: boolean;
  #config: JsonObject;
  #configFile: string | null = null;
  #configChangedAtMs: number;
  #restartsTotal: number;
  #lastControl: { op: string; atMs: number } | null;
  #definedAtMs: number;
  #revision: number;
  #closed = false;

  constructor(definition: ServiceDefinition, saved: ServiceState | null, env: ServiceEnvironment) {
    this.id = definition.serviceId;
    this.#env = env;
    this.gate = new ServiceGate(() => ({
      nodeId: env.nodeId,
      serviceId: this.id,
      permissions: this.definition.permissions,
      nodeProjects: env.nodeProjects(),
    }));
    const unchanged = saved?.digest === definition.digest;
    this.#definedAtMs = unchanged ? saved.definedAtMs : env.clock.now();
    this.#revision = saved === null ? 1 : unchanged ? saved.revision : saved.revision + 1;
    this.#enabled = saved?.enabled ?? definition.enabled;
    this.#config = saved?.config ?? {};
    this.#configChangedAtMs = this.#definedAtMs;
    this.#restartsTotal = saved?.restartsTotal ?? 0;
    this.#lastControl =
      saved?.lastControlOp == null ? null : { op: saved.lastControlOp, atMs: saved.lastControlMs ?? 0 };
    this.#queue = new InvocationQueue(definition.runtime.limits);
    this.#engine = this.#build(definition);
    const { store, interrupted } = JobStore.open({
      dir: join(env.jobsDir, this.id),
      limits: env.jobLimits,
      fsync: env.fsync,
      now: () => env.clock.now(),
      log: env.log,
    });
    this.jobs = store;
    this.metrics.restore(store.recordedMetrics ?? saved?.metrics ?? {});
    for (const job of interrupted) this.#endInterrupted(job);
    this.#configFile = env.writeConfigFile(this.id, this.#config);
  }

  get definition(): ServiceDefinition {
    return this.#engine.definition;
  }
  /** It can be invoked at all: there is something to run. */
  get runnable(): boolean {
    return this.#engine.driver !== null;
  }
  get enabled(): boolean {
    return this.#enabled;
  }
  get config(): JsonObject {
    return this.#config;
  }
  get configChangedAtMs(): number {
    return this.#configChangedAtMs;
  }
  get definedAtMs(): number {
    return this.#definedAtMs;
  }
  get revision(): number {
    return this.#revision;
  }
  get restartsTotal(): number {
    return this.#restartsTotal;
  }
  get lastControl(): { readonly op: string; readonly atMs: number } | null {
    return this.#lastControl;
  }
  get running(): number {
    return this.#queue.running;
  }
  get queued(): number {
    return this.#queue.queued;
  }
  /** Why calls cannot succeed at present, or null. */
  get fault(): FsError | null {
    return this.#engine.driver?.fault ?? null;
  }
  get nowMs(): number {
    return this.#env.clock.now();
  }
  get environment(): ServiceEnvironment {
    return this.#env;
  }
  get check(): InputCheck {
    return this.#engine.check;
  }

  state(): ServiceState {
    return {
      enabled: this.#enabled,
      config: this.#config,
      restartsTotal: this.#restartsTotal,
      lastControlOp: this.#lastControl?.op ?? null,
      lastControlMs: this.#lastControl?.atMs ?? null,
      metrics: this.metrics.toRecord(),
      supervision: {},
      digest: this.definition.digest,
      definedAtMs: this.#definedAtMs,
      revision: this.#revision,
    };
  }

  /** Takes on a new definition: what runs finishes under the old one, the next call starts under the new. */
  update(definition: ServiceDefinition): void {
    const before = this.#engine;
    this.#engine = this.#build(definition);
    this.#queue.configure(definition.runtime.limits);
    this.#definedAtMs = this.nowMs;
    this.#revision += 1;
    this.gate.forget();
    this.#retire(before);
  }

  /**
   * Accepts a request and starts it, or queues it. The job is on disk when this returns.
   * @throws FsError EPERM, EBUSY, EEXIST when it is refused (the refusal is a job too), EACCES or ENOENT
   * when the session may not.
   */
  submit(request: Request, session: Session): Call {
    this.gate.require(session, 'invoke');
    const earlier = request.key === null ? undefined : this.jobs.byKey(principalOf(session), request.key.key);
    if (earlier !== undefined && earlier.keyDigest === request.key!.digest) return this.#callOf(earlier);
    const refusal = earlier === undefined ? this.#refusal() : keyReused(request.key!.key);
    if (refusal !== null) throw this.reject(request.bytes, refusal, session);
    this.#audit({
      session,
      action: 'invoke',
      serviceId: this.id,
      outcome: 'accepted',
      payload: request.bytes,
    });
    const job = this.jobs.accept(ownerOf(session), request.bytes, request.key);
    return this.#start(job, request, session);
  }

  /** Records a request that will not run, and returns the error to answer with. */
  reject(bytes: Uint8Array, error: FsError, session: Session): FsError {
    this.metrics.countRejection();
    const job = this.jobs.accept(ownerOf(session), bytes.subarray(0, KEPT_OF_REJECTED), null, true);
    this.jobs.finish(job, endFromError(error, null, this.nowMs), new Uint8Array(), this.metrics.toRecord());
    this.#audit({ session, action: 'invoke', serviceId: this.id, outcome: error.code, payload: bytes });
    return error;
  }

  /** `control/cancel`: ends what is running or queued; all of it when `principal` is null. */
  cancel(principal: string | null, id: string | null, session: Session): number {
    const jobs = this.jobs.live(principal).filter((job) => id === null || job.id === id);
    if (id !== null && jobs.length === 0)
      throw new FsError('ENOENT', `No invocation ${JSON.stringify(id)} is running.`, {
        hint: 'See jobs/ for what is.',
      });
    this.#control('cancel', session);
    for (const job of jobs)
      this.#calls
        .get(job)
        ?.cancel(new FsError('ECANCELED', 'The invocation was cancelled through control/cancel.'));
    return jobs.length;
  }

  cancelJob(job: Job, why: string, session: Session): void {
    this.#control('cancel', session);
    this.#calls.get(job)?.cancel(new FsError('ECANCELED', why));
  }

  /** `rm -r jobs/<id>`: forgets a finished job at once; a running one is cancelled, and forgotten too. */
  forgetJob(job: Job, session: Session): void {
    if (job.end === null)
      this.cancelJob(job, 'The invocation was cancelled: its directory was removed.', session);
    this.jobs.forget(job);
  }

  /**
   * Asks the gate for an act that somebody tries, and records a denial.
   * @throws FsError EACCES, or ENOENT for what the session may not know of.
   */
  authorize(session: Session, action: Action): void {
    if (!this.gate.allows(session, action))
      this.#audit({ session, action, serviceId: this.id, outcome: 'denied' });
    this.gate.require(session, action);
  }

  reset(principal: string | null, session: Session): void {
    this.#control('reset', session);
    this.jobs.reset(principal);
    this.#env.saveState();
  }

  setEnabled(enabled: boolean, session: Session): void {
    this.#control(enabled ? 'enable' : 'disable', session);
    const before = this.#enabled;
    this.#enabled = enabled;
    if (enabled) this.metrics.clearConsecutive();
    this.#save(() => (this.#enabled = before));
    this.#emitControl(enabled ? 'enable' : 'disable');
  }

  async restart(session: Session): Promise<void> {
    this.#control('restart', session);
    this.#restartsTotal += 1;
    this.metrics.clearConsecutive();
    this.jobs.reset(principalOf(session));
    this.#save(() => (this.#restartsTotal -= 1));
    await this.#engine.driver?.restart();
    this.#emitControl('restart');
  }

  /** Replaces the config; durable when it returns. @throws FsError EINVAL for what is not a JSON object. */
  setConfig(text: string, session: Session): void {
    const config = configFrom(text);
    this.#audit({
      session,
      action: 'control',
      serviceId: this.id,
      outcome: 'config',
      payload: Buffer.from(text),
    });
    const before = this.#config;
    this.#config = config;
    this.#save(() => (this.#config = before));
    this.#configChangedAtMs = this.nowMs;
    this.#configFile = this.#env.writeConfigFile(this.id, config);
    this.#emitControl('config');
  }

  /** Ends what is running, as a shutdown does, and frees everything. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const call of [...this.#calls.values()])
      call.cancel(new FsError('ECANCELED', 'The node is shutting down.'));
    await Promise.all([...this.#calls.values()].map((call) => call.ended));
    await this.#engine.driver?.close();
    this.jobs.close();
  }

  #build(definition: ServiceDefinition): Engine {
    return {
      definition,
      driver: this.#env.createDriver(definition),
      check: this.#env.inputCheck(definition),
      inFlight: 0,
      retired: false,
    };
  }

  #retire(engine: Engine): void {
    engine.retired = true;
    if (engine.inFlight === 0) void this.#closeEngine(engine);
  }

  async #closeEngine(engine: Engine): Promise<void> {
    try {
      await engine.driver?.close();
    } catch (thrown) {
      this.#env.log.error('A replaced driver did not end cleanly.', {
        service: this.id,
        error: FsError.from(thrown).message,
      });
    }
  }

  /** Why no call is taken now, or null. */
  #refusal(): FsError | null {
    if (this.#closed)
      return new FsError('EHOSTDOWN', 'The node is shutting down.', { hint: 'Try again when it is back.' });
    if (!this.#enabled) {
      return new FsError('EPERM', `The service ${this.id} is disabled.`, {
        hint: 'Someone who may control it can write to control/enable.',
      });
    }
    return this.#queue.refusal();
  }

  #start(job: Job, request: Request, session: Session): Call {
    const abort = new AbortController();
    const call: Call = {
      job,
      cancel: (reason) => abort.abort(reason),
      ended: this.#run(job, request, session, abort.signal),
    };
    if (job.end === null) this.#calls.set(job, call);
    return call;
  }

  async #run(job: Job, request: Request, session: Session, signal: AbortSignal): Promise<CallEnd> {
    let outcome: Outcome;
    try {
      const entered = this.#queue.enter(signal);
      const leave = entered instanceof Promise ? await entered : entered;
      try {
        outcome = await this.#invoke(job, request, session, signal);
      } finally {
        leave();
      }
    } catch (thrown) {
      outcome = { ok: false, error: FsError.from(thrown), exitCode: null };
    }
    return this.#end(job, outcome);
  }

  async #invoke(job: Job, request: Request, session: Session, signal: AbortSignal): Promise<Outcome> {
    const engine = this.#engine;
    if (engine.driver === null) throw new FsError('EIO', `The service ${this.id} can no longer be invoked.`);
    engine.inFlight++;
    job.startedAtMs = job.changedAtMs = this.nowMs;
    this.metrics.countStart(job.startedAtMs);
    try {
      return await engine.driver.invoke({
        id: job.id,
        nodeId: this.#env.nodeId,
        serviceId: this.id,
        payload: request.bytes,
        input: request.input,
        caller: { role: session.role, agentId: session.agentId, projectId: session.project?.id ?? null },
        deadlineMs: job.startedAtMs + engine.definition.runtime.limits.timeoutMs,
        configFile: this.#configFile,
        config: this.#config,
        signal,
        onOutput: (stream, chunk) => this.jobs.appendOutput(job, stream, chunk),
      });
    } finally {
      if (--engine.inFlight === 0 && engine.retired) void this.#closeEngine(engine);
    }
  }

  /** Makes the outcome durable, then tells. */
  #end(job: Job, outcome: Outcome): CallEnd {
    this.#calls.delete(job);
    const nowMs = this.nowMs;
    const end: JobEnd = outcome.ok
      ? { state: 'ok', exitCode: outcome.exitCode, errno: null, error: null, hint: null, finishedAtMs: nowMs }
      : endFromError(outcome.error, outcome.exitCode, nowMs);
    const result = outcome.ok
      ? Buffer.from(indentJson(Buffer.from(outcome.result).toString()))
      : Buffer.alloc(0);
    this.metrics.countEnd(end, job.startedAtMs ?? job.acceptedAtMs);
    try {
      this.jobs.finish(job, end, result, this.metrics.toRecord());
    } catch (thrown) {
      const error = FsError.from(thrown);
      this.#env.log.error('An outcome could not be written to the state directory.', {
        service: this.id,
        invocation: job.id,
        error: error.message,
      });
      job.end = endFromError(error, end.exitCode, nowMs);
      return { error, reply: failureReply(job) };
    }
    this.#env.emit({
      type: 'invocation_finished',
      serviceId: this.id,
      principal: job.owner.principal,
      facts: { invocation_id: job.id, state: end.state },
    });
    return outcome.ok ? { error: null, reply: result } : { error: outcome.error, reply: failureReply(job) };
  }

  #endInterrupted(job: Job): void {
    const end: JobEnd = {
      state: 'error',
      exitCode: null,
      errno: 'EIO',
      error: 'interrupted',
      hint: 'The node was stopped while this ran. It was not run again.',
      finishedAtMs: this.nowMs,
    };
    this.metrics.countEnd(end, job.acceptedAtMs);
    this.jobs.finish(job, end, new Uint8Array(), this.metrics.toRecord());
  }

  /** The call of a job that a `_key` names: still running, or as it ended. */
  #callOf(job: Job): Call {
    const running = this.#calls.get(job);
    if (running !== undefined) return running;
    return { job, cancel: () => undefined, ended: Promise.resolve(storedEnd(job)) };
  }

  #control(op: string, session: Session): void {
    this.#audit({ session, action: 'control', serviceId: this.id, outcome: op });
    this.#lastControl = { op, atMs: this.nowMs };
  }

  #audit(record: AuditRecord): void {
    this.#env.audit(record);
  }

  #save(undo: () => void): void {
    try {
      this.#env.saveState();
    } catch (thrown) {
      undo();
      throw FsError.from(thrown);
    }
  }

  #emitControl(op: string): void {
    this.#env.emit({ type: 'service_control', serviceId: this.id, principal: null, facts: { op } });
  }
}

const STATES = new Map<string, JobState>([
  ['ETIMEDOUT', 'timeout'],
  ['ECANCELED', 'cancelled'],
]);

function endFromError(error: FsError, exitCode: number | null, finishedAtMs: number): JobEnd {
  return {
    state: STATES.get(error.code) ?? 'error',
    exitCode,
    errno: error.code,
    error: error.message,
    hint: error.hint ?? null,
    finishedAtMs,
  };
}

function storedEnd(job: Job): CallEnd {
  const end = job.end!;
  if (end.errno === null) return { error: null, reply: job.result.all() };
  return {
    error: new FsError(end.errno, end.error ?? 'It failed.', { hint: end.hint ?? undefined }),
    reply: failureReply(job),
  };
}

/** What a descriptor reads back for a call that failed. */
function failureReply(job: Job): Buffer {
  const end = job.end!;
  return Buffer.from(
    `${JSON.stringify({ error: { errno: end.errno, message: end.error, hint: end.hint }, invocation_id: job.id }, null, 2)}\n`,
  );
}

function keyReused(key: string): FsError {
  return new FsError('EEXIST', `The _key ${JSON.stringify(key)} was used for another request.`, {
    hint: 'Take a new key for a new request; jobs/by-key shows those in use.',
  });
}

function configFrom(text: string): JsonObject {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (thrown) {
    throw new FsError('EINVAL', `The config is not valid JSON: ${(thrown as Error).message}.`, {
      hint: 'Nothing was changed. Write one JSON object.',
    });
  }
  if (!isJsonObject(config))
    throw new FsError('EINVAL', 'The config is not a JSON object.', {
      hint: 'Nothing was changed. Write one JSON object.',
    });
  return config;
}
