import { FsError, type Clock, type JsonObject, type ServiceId } from '../core/index.js';
import type { Driver } from '../drivers/index.js';
import { isInvocable, type ServiceDefinition, type ServiceRecords } from '../manifest/index.js';
import { principalOf, type Action, type Session } from '../policy/index.js';
import type { Call } from './call.js';
import { configFrom } from './config.js';
import { Engine } from './engine.js';
import type { ServiceEnvironment } from './environment.js';
import { Invoker } from './invoker.js';
import { ownerOf, type Job } from './jobs/job.js';
import { FOR_ENDS } from './jobs/job-limits.js';
import type { JobStore } from './jobs/job-store.js';
import type { Metrics } from './metrics.js';
import type { InputCheck, Request } from './request/request.js';
import { Supervisor, type EndCall, type Health, type HealthTransition } from '../supervise/index.js';
import { ServiceGate } from './service-gate.js';
import type { ServiceState } from './service-state.js';

/**
 * One service of this node: its definition and what it owns (enabled, config, metrics, jobs). All that
 * happens to a service happens through its methods; the files of its directory are views of it.
 */
export class Service {
  readonly id: ServiceId;
  readonly gate: ServiceGate;
  readonly #env: ServiceEnvironment;
  readonly #invoker: Invoker;
  #engine: Engine;
  readonly #supervisor: Supervisor;
  #config: JsonObject;
  #configChangedAtMs: number;
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
    this.#config = saved?.config ?? {};
    this.#configChangedAtMs = this.#definedAtMs;
    this.#supervisor = new Supervisor({
      serviceId: this.id,
      enabled: definition.enabled,
      config: this.#config,
      context: env.driverContext,
      state: saved?.supervision,
    });
    this.#supervisor.changes.on((transition) => this.#reportHealth(transition));
    this.#engine = new Engine(definition, env);
    this.#invoker = new Invoker(
      {
        id: this.id,
        env,
        engine: () => this.#engine,
        config: () => this.#config,
        admit: () => this.#admit(),
      },
      definition.runtime.limits,
      saved?.metrics ?? {},
    );
    this.#supervisor.attach(this.#engine.driver, definition.runtime);
  }

  get definition(): ServiceDefinition {
    return this.#engine.definition;
  }
  get jobs(): JobStore {
    return this.#invoker.jobs;
  }
  get metrics(): Metrics {
    return this.#invoker.metrics;
  }
  /** It can be invoked at all: there is something to run. */
  get runnable(): boolean {
    return this.#engine.driver !== null && isInvocable(this.definition.descriptor);
  }
  /** What runs it, or what it offers beside itself. */
  get driver(): Driver | null {
    return this.#engine.driver;
  }
  get enabled(): boolean {
    return this.#supervisor.isEnabled;
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
  get health(): Health {
    return this.#supervisor.health;
  }
  get running(): number {
    return this.#invoker.queue.running;
  }
  get queued(): number {
    return this.#invoker.queue.queued;
  }
  get nowMs(): number {
    return this.#env.clock.now();
  }
  /** What is recorded of what it was. */
  get records(): ServiceRecords {
    return this.#env.history().of(this.#env.nodeId, this.id);
  }
  get clock(): Clock {
    return this.#env.clock;
  }
  /** Where it runs. */
  get node(): { readonly id: string; readonly name: string; readonly platform: string } {
    const { nodeId, nodeName, platform } = this.#env;
    return { id: nodeId, name: nodeName, platform };
  }
  get check(): InputCheck {
    return this.#engine.check;
  }

  state(): ServiceState {
    return {
      config: this.#config,
      metrics: this.metrics.toRecord(),
      supervision: this.#supervisor.state,
      digest: this.definition.digest,
      definedAtMs: this.#definedAtMs,
      revision: this.#revision,
    };
  }

  /** Takes on a new definition: what runs finishes under the old one, the next call starts under the new. */
  update(definition: ServiceDefinition): void {
    const before = this.#engine;
    this.#engine = new Engine(definition, this.#env);
    this.#invoker.queue.setLimits(definition.runtime.limits);
    this.#definedAtMs = this.nowMs;
    this.#revision += 1;
    this.gate.forget();
    this.#supervisor.attach(this.#engine.driver, definition.runtime);
    before.retire();
  }

  /**
   * Accepts a request and starts it, or queues it. The job is on disk when this returns.
   * @throws FsError EPERM, EBUSY, EEXIST when it is refused (the refusal is a job too), EACCES or ENOENT
   * when the session may not. `traceparent`: what causes it, nearer than what the request says.
   */
  submit(request: Request, session: Session, traceparent?: string): Call {
    this.gate.require(session, 'invoke');
    return this.#invoker.submit(request, session, traceparent ?? request.traceparent);
  }

  /** Records a request that will not run, and returns the error to answer with. */
  reject(bytes: Uint8Array, error: FsError, session: Session): FsError {
    return this.#invoker.reject(bytes, error, session);
  }

  /** Settles when the job has ended. */
  ended(job: Job): Promise<void> {
    return this.#invoker.ended(job);
  }

  /**
   * `control/cancel`: ends what is running or queued; everyone's when `principal` is null.
   * @throws FsError ENOENT when `id` names nothing that runs.
   */
  cancel(principal: string | null, id: string | null, session: Session): void {
    const jobs = this.jobs.live(principal).filter((job) => id === null || job.id === id);
    if (id !== null && jobs.length === 0) {
      throw new FsError('ENOENT', `No invocation ${JSON.stringify(id)} is running.`, {
        hint: 'See jobs/ for what is.',
      });
    }
    this.#control('cancel', session);
    for (const job of jobs) this.#cancel(job, 'The invocation was cancelled through control/cancel.');
  }

  cancelJob(job: Job, why: string, session: Session): void {
    this.#control('cancel', session);
    this.#cancel(job, why);
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
    if (!this.gate.allows(session, action)) {
      this.#audit(action, session, 'denied');
    }
    this.gate.require(session, action);
  }

  reset(principal: string | null, session: Session): void {
    this.#control('reset', session);
    this.jobs.reset(principal);
    this.#saveThoughFull();
  }

  setEnabled(enabled: boolean, session: Session): void {
    const op = enabled ? 'enable' : 'disable';
    const before = this.enabled;
    this.#recorded(op, session, undefined, () => {
      this.#switch(enabled);
      if (enabled) this.metrics.clearConsecutive();
      orUndo(
        () => this.#saveThoughFull(),
        () => this.#switch(before),
      );
    });
    this.#emitControl(op);
  }

  async restart(session: Session): Promise<void> {
    this.#audit('control/restart', session);
    this.metrics.clearConsecutive();
    this.jobs.reset(principalOf(session));
    await this.#supervisor.restart();
    this.#saveThoughFull();
    this.#emitControl('restart');
  }

  /**
   * Replaces the config; durable when it returns.
   * @throws FsError EINVAL for what is not a JSON object, or whose `supervision` is no policy.
   */
  setConfig(text: string, session: Session): void {
    this.#recorded('config', session, Buffer.from(text), () => {
      const config = configFrom(text);
      const before = this.#config;
      this.#supervisor.setConfig(config);
      this.#config = config;
      orUndo(
        () => this.#env.saveState(),
        () => {
          this.#config = before;
          this.#supervisor.setConfig(before);
        },
      );
    });
    this.#configChangedAtMs = this.nowMs;
    this.#emitControl('config');
  }

  /** Takes no more calls, and settles when those that run have ended by themselves. */
  async drain(): Promise<void> {
    this.#closed = true;
    await this.#invoker.idle();
  }

  /** Ends what is running, as a shutdown does, and frees everything. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#supervisor.close();
    await this.#invoker.close(new FsError('ECANCELED', 'The node is shutting down.'));
    await this.#engine.driver?.close();
  }

  #cancel(job: Job, why: string): void {
    this.#invoker.cancel(job, new FsError('ECANCELED', why));
  }

  #admit(): EndCall {
    if (this.#closed) {
      throw new FsError('EHOSTDOWN', 'The node is shutting down.', { hint: 'Try again when it is back.' });
    }
    return this.#supervisor.admit();
  }

  #switch(enabled: boolean): void {
    if (enabled) this.#supervisor.enable();
    else this.#supervisor.disable();
  }

  #control(op: string, session: Session): void {
    this.#audit(`control/${op}`, session);
    this.#supervisor.noteControl(op);
  }

  /** An act that cannot be recorded does not happen; one that fails is on record as failed too. */
  #recorded(op: string, session: Session, payload: Uint8Array | undefined, act: () => void): void {
    this.#audit(`control/${op}`, session, 'ok', payload);
    try {
      act();
    } catch (thrown) {
      this.#audit(`control/${op}`, session, FsError.from(thrown).code, payload);
      throw thrown;
    }
  }

  #audit(act: string, session: Session, outcome = 'ok', payload?: Uint8Array): void {
    const by = ownerOf(session);
    const record = { by, act, serviceId: this.id, outcome, ...(payload === undefined ? {} : { payload }) };
    this.#env.reserve.use(() => this.#env.audit(record), FOR_ENDS);
  }

  /** What an admin does about a full disk must not fail for it. */
  #saveThoughFull(): void {
    this.#env.reserve.use(() => this.#env.saveState(), FOR_ENDS);
  }

  #emitControl(op: string): void {
    this.#env.emit({ type: 'service_control', serviceId: this.id, principal: null, facts: { op } });
  }

  #reportHealth({ from, to, reason }: HealthTransition): void {
    this.#env.emit({
      type: 'service_health',
      serviceId: this.id,
      principal: null,
      facts: { from, to, reason },
    });
  }
}

function orUndo(act: () => void, undo: () => void): void {
  try {
    act();
  } catch (thrown) {
    undo();
    throw FsError.from(thrown);
  }
}
