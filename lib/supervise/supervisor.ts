import { Emitter, FsError, type JsonObject, type ServiceId } from '../core/index.js';
import type { Driver, DriverContext } from '../drivers/index.js';
import type { RuntimeDefinition } from '../manifest/index.js';
import { CLOSED, afterCall, atTime, type BreakerState, type CallVerdict } from './breaker.js';
import { FlapDamper } from './flap-damper.js';
import { assessHealth, type HealthState, type HealthAssessment } from './health.js';
import { policyFromConfig, type SupervisionPolicy } from './policy.js';
import { reportAfter, type ProbeReport } from './probe-report.js';
import { ProbeRunner } from './probe-runner.js';

/** What a supervisor remembers over a restart of the node: plain JSON, for the state file. */
export interface SupervisorState {
  readonly enabled: boolean;
  readonly breaker: BreakerState;
  readonly restartsTotal: number;
  readonly lastControlOp: string | null;
  readonly lastControlMs: number | null;
  readonly lastTransitionMs: number | null;
  readonly lastHealthyMs: number | null;
}

/** What health.json shows, in the program's own names. */
export interface Health extends Omit<SupervisorState, 'breaker'> {
  readonly state: HealthState;
  readonly reason: string | null;
  readonly cooldownUntilMs: number | null;
  readonly cooldownRemainingMs: number;
  readonly consecutiveFailures: number;
  readonly consecutiveTimeouts: number;
  readonly policy: SupervisionPolicy;
  readonly probe: ProbeReport | null;
}

/** A change of health, reported once. */
export interface HealthTransition {
  readonly from: HealthState;
  readonly to: HealthState;
  readonly reason: string | null;
  readonly atMs: number;
}

export interface SupervisorOptions {
  readonly serviceId: ServiceId;
  readonly enabled: boolean;
  /** The service's config; its `supervision` is the policy. */
  readonly config: JsonObject;
  readonly context: DriverContext;
  /** From before a restart of the node; its `enabled` goes before the option. */
  readonly state?: SupervisorState | null;
}

/** To be called once, with how the admitted call ended. */
export type EndCall = (end: CallVerdict) => void;

/**
 * Watches over one service: whether calls may run (breaker, disabled), and how it is (its driver's fault,
 * its probe, its calls). It outlives the service's definitions; `attach` gives it the driver of the day.
 */
export class Supervisor {
  readonly changes = new Emitter<HealthTransition>();
  readonly #serviceId: ServiceId;
  readonly #context: DriverContext;
  readonly #damper: FlapDamper;
  #policy: SupervisionPolicy;
  #state: SupervisorState;
  #driver: Driver | null = null;
  #unsubscribe: (() => void) | undefined;
  #probe: ProbeReport | null = null;
  #runner: ProbeRunner | null = null;
  #runtime: RuntimeDefinition | null = null;
  #trialRuns = false;
  #callOffCooldown: (() => void) | undefined;

  /** @throws FsError EINVAL when the config's `supervision` is not a policy. */
  constructor({ serviceId, enabled, config, context, state }: SupervisorOptions) {
    this.#serviceId = serviceId;
    this.#context = context;
    this.#policy = policyFromConfig(config);
    this.#state = state ?? {
      enabled,
      breaker: CLOSED,
      restartsTotal: 0,
      lastControlOp: null,
      lastControlMs: null,
      lastTransitionMs: null,
      lastHealthyMs: null,
    };
    this.#damper = new FlapDamper(this.#judge(), context.clock, (assessment, from) =>
      this.#published(assessment, from),
    );
    this.#armCooldown();
  }

  /** For the state file; hand it to the constructor after a restart. */
  get state(): SupervisorState {
    return this.#state;
  }

  get isEnabled(): boolean {
    return this.#state.enabled;
  }

  get health(): Health {
    const { breaker, ...rest } = this.#state;
    const { state, reason } = this.#damper.published;
    const now = this.#context.clock.now();
    return {
      ...rest,
      state,
      reason,
      lastHealthyMs: state === 'online' ? now : rest.lastHealthyMs,
      cooldownUntilMs: breaker.untilMs,
      cooldownRemainingMs: Math.max(0, (breaker.untilMs ?? now) - now),
      consecutiveFailures: breaker.consecutiveFailures,
      consecutiveTimeouts: breaker.consecutiveTimeouts,
      policy: this.#policy,
      probe: this.#probe,
    };
  }

  /**
   * Lets a call in. Call the returned function when it has ended, however it ended.
   * @throws FsError EPERM when the service is disabled, by hand or after too many failures; EBUSY while it
   * rests, with when to come again.
   */
  admit(): EndCall {
    if (!this.#state.enabled)
      throw new FsError('EPERM', 'The service is disabled.', { hint: 'Write to control/enable.' });
    const now = this.#context.clock.now();
    const breaker = atTime(this.#state.breaker, now);
    if (breaker !== this.#state.breaker) this.#change({ breaker });
    const failures = `The last ${breaker.consecutiveFailures} calls failed`;
    if (breaker.position === 'open') {
      if (breaker.untilMs === null)
        throw new FsError('EPERM', `${failures}, and the service disabled itself.`, {
          hint: 'Mend it, then write to control/enable or control/restart.',
        });
      throw new FsError('EBUSY', `${failures}, and the service rests.`, {
        hint: `Try again in ${breaker.untilMs - now} ms, or write to control/restart.`,
      });
    }
    if (breaker.position === 'trial') {
      if (this.#trialRuns)
        throw new FsError('EBUSY', `${failures}, and one call is trying whether it works again.`, {
          hint: 'Try again when that call has ended.',
        });
      this.#trialRuns = true;
    }
    const isTrial = breaker.position === 'trial';
    let open = true;
    return (end) => {
      if (!open) return;
      open = false;
      if (isTrial) this.#trialRuns = false;
      this.#record(end);
    };
  }

  /** The driver (null where there is none) and runtime that serve from now on. */
  attach(driver: Driver | null, runtime: RuntimeDefinition): void {
    this.#unsubscribe?.();
    void this.#runner?.stop();
    this.#runner = null;
    this.#probe = null;
    this.#driver = driver;
    this.#runtime = runtime;
    this.#unsubscribe = driver?.onFault(() => this.#look());
    this.#startProbe();
    this.#look();
  }

  /** @throws FsError EINVAL, and keeps the policy it had. */
  setConfig(config: JsonObject): void {
    this.#policy = policyFromConfig(config);
    this.#look();
  }

  /** Allows calls, and clears what the failures before have led to. */
  enable(): void {
    this.#control('enable', { enabled: true, breaker: CLOSED });
    this.#startProbe();
  }

  disable(): void {
    void this.#runner?.stop();
    this.#runner = null;
    this.#control('disable', { enabled: false });
  }

  /** Clears error and backoff, and starts the driver over. */
  async restart(): Promise<void> {
    this.#control('restart', { breaker: CLOSED, restartsTotal: this.#state.restartsTotal + 1 });
    await this.#driver?.restart();
    this.#look();
  }

  /** Remembers a control that does not concern it, for `last_control_op`. */
  noteControl(op: string): void {
    this.#control(op, {});
  }

  /** Forgets failures and backoff, as a success would. */
  clear(): void {
    this.#damper.reset();
    this.#change({ breaker: CLOSED });
  }

  /** Stops watching; the driver is its owner's to close. */
  async close(): Promise<void> {
    this.#callOffCooldown?.();
    this.#unsubscribe?.();
    this.#damper.reset();
    await this.#runner?.stop();
  }

  #record(end: CallVerdict): void {
    const breaker = afterCall(this.#state.breaker, end, this.#policy, this.#context.clock.now());
    if (breaker !== this.#state.breaker) this.#change({ breaker });
  }

  #control(op: string, changes: Partial<SupervisorState>): void {
    this.#damper.reset();
    this.#trialRuns = changes.breaker === undefined && this.#trialRuns;
    this.#change({ ...changes, lastControlOp: op, lastControlMs: this.#context.clock.now() });
  }

  #change(changes: Partial<SupervisorState>): void {
    this.#state = { ...this.#state, ...changes };
    this.#armCooldown();
    this.#look();
  }

  #armCooldown(): void {
    this.#callOffCooldown?.();
    const { untilMs } = this.#state.breaker;
    if (untilMs === null) return;
    const { clock } = this.#context;
    this.#callOffCooldown = clock.after(Math.max(0, untilMs - clock.now()), () =>
      this.#change({ breaker: atTime(this.#state.breaker, clock.now()) }),
    );
  }

  #startProbe(): void {
    const runtime = this.#runtime;
    if (runtime === null || runtime.probe === null || this.#runner !== null || !this.#state.enabled) return;
    const { probe } = runtime;
    const service = { serviceId: this.#serviceId, runtime, probe };
    this.#runner = new ProbeRunner(service, this.#driver, this.#context, (result) => {
      this.#probe = reportAfter(this.#probe, result, probe, this.#context.clock.now());
      this.#look();
    });
  }

  #judge(): HealthAssessment {
    return assessHealth({
      enabled: this.#state.enabled,
      breaker: this.#state.breaker,
      policy: this.#policy,
      fault: this.#driver?.fault ?? null,
      probe: this.#probe,
    });
  }

  #look(): void {
    this.#damper.offer(this.#judge());
  }

  #published({ state, reason }: HealthAssessment, from: HealthState): void {
    const atMs = this.#context.clock.now();
    const lastHealthyMs = from === 'online' ? atMs : this.#state.lastHealthyMs;
    this.#state = { ...this.#state, lastTransitionMs: atMs, lastHealthyMs };
    this.changes.emit({ from, to: state, reason, atMs });
  }
}
