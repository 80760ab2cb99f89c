import { documentFromJson, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import { principalOf } from '../policy/index.js';
import { typeFromDescriptor } from '../manifest/index.js';
import { StableSnapshot, type Snapshot } from '../vfs/index.js';
import { documentFromPolicy } from '../supervise/index.js';
import { errorTextOfJob, statusOfJob, type Job } from './jobs/job.js';
import type { Service } from './service.js';

const IDLE_RESULT = documentFromJson({ state: 'idle' });

/** The outcomes as one principal sees them. */
interface OwnOutcomes {
  readonly status: StableSnapshot;
  readonly error: StableSnapshot;
  readonly result: StableSnapshot;
  /** The job whose result was rendered last, so that it is read from disk once. */
  rendered: { readonly job: Job; readonly snapshot: Snapshot } | null;
}

/** The live files of a service: outcomes as one principal sees them, metrics and health as all do. */
export class LiveDocuments {
  readonly #service: Service;
  readonly #outcomesOf = new Map<string, OwnOutcomes>();
  readonly #metrics = new StableSnapshot();
  readonly #health = new StableSnapshot();
  readonly #incomplete = new Map<string, string>();

  constructor(service: Service) {
    this.#service = service;
  }

  status(session: Session): Snapshot {
    const job = this.#newest(session);
    const changedAtMs = job?.changedAtMs ?? this.#outcomesChangedAtMs(session);
    return this.#own(session).status.snapshot(documentFromJson(this.#statusOf(job)), changedAtMs);
  }

  result(session: Session): Snapshot {
    const job = this.#service.jobs.outcomes(principalOf(session))?.lastSuccess;
    const own = this.#own(session);
    if (job == null) {
      own.rendered = null;
      return own.result.snapshot(IDLE_RESULT, this.#outcomesChangedAtMs(session));
    }
    if (own.rendered?.job !== job)
      own.rendered = { job, snapshot: own.result.snapshot(job.result.all(), job.changedAtMs) };
    return own.rendered.snapshot;
  }

  lastError(session: Session): Snapshot {
    const principal = principalOf(session);
    const job = this.#service.jobs.outcomes(principal)?.last;
    const text = this.#incomplete.get(principal) ?? (job == null ? '' : errorTextOfJob(job));
    return this.#own(session).error.snapshot(
      Buffer.from(text),
      job?.changedAtMs ?? this.#outcomesChangedAtMs(session),
    );
  }

  /**
   * A descriptor was closed on an incomplete request. The job that says so comes when its last duplicate
   * is closed, which may be later than the caller looks.
   */
  noteIncomplete(session: Session, text: string): void {
    this.#incomplete.set(principalOf(session), text);
  }

  clearIncomplete(session: Session): void {
    this.#incomplete.delete(principalOf(session));
  }

  metrics(): Snapshot {
    const { metrics, running, queued, nowMs } = this.#service;
    const document = documentFromJson(metrics.toDocument(running, queued));
    return this.#metrics.snapshot(document, this.#calledAtMs(), nowMs);
  }

  health(): Snapshot {
    const { lastTransitionMs, lastControlMs, probe } = this.#service.health;
    const changedAtMs = Math.max(
      this.#calledAtMs(),
      lastTransitionMs ?? 0,
      lastControlMs ?? 0,
      probe?.lastRunMs ?? 0,
    );
    return this.#health.snapshot(documentFromJson(healthOf(this.#service)), changedAtMs, this.#service.nowMs);
  }

  /** When a call last began or ended; before the first one, when the service was defined. */
  #calledAtMs(): number {
    const { metrics, definedAtMs } = this.#service;
    return Math.max(metrics.lastCallMs, definedAtMs);
  }

  #statusOf(job: Job | null): JsonObject {
    const status: JsonObject = {
      ...((job === null ? IDLE_STATUS : statusOfJob(job)) as JsonObject),
      ...identityOf(this.#service),
    };
    if (status.state === 'running') return status;
    const { enabled, cooldownRemainingMs } = this.#service.health;
    if (!enabled) return { ...status, state: 'offline' };
    return cooldownRemainingMs > 0 ? { ...status, state: 'backoff' } : status;
  }

  /** What runs comes first, then what ended last. */
  #newest(session: Session): Job | null {
    const principal = principalOf(session);
    return this.#service.jobs.live(principal).at(-1) ?? this.#service.jobs.outcomes(principal)?.last ?? null;
  }

  #outcomesChangedAtMs(session: Session): number {
    const changedAtMs = this.#service.jobs.outcomes(principalOf(session))?.changedAtMs ?? 0;
    return changedAtMs === 0 ? this.#service.definedAtMs : changedAtMs;
  }

  #own(session: Session): OwnOutcomes {
    const principal = principalOf(session);
    let own = this.#outcomesOf.get(principal);
    if (own === undefined) {
      own = {
        status: new StableSnapshot(),
        error: new StableSnapshot(),
        result: new StableSnapshot(),
        rendered: null,
      };
      this.#outcomesOf.set(principal, own);
    }
    return own;
  }
}

const IDLE_STATUS = {
  state: 'idle',
  invocation_id: null,
  exit_code: null,
  error: null,
  errno: null,
  started_at: null,
  finished_at: null,
  duration_ms: null,
  progress: null,
  by: null,
};

/** Which service it is about. */
function identityOf({ id, definition }: Service): JsonObject {
  return { service_id: id, runtime: typeFromDescriptor(definition.descriptor) };
}

/** Its state in indexes and in the catalog. */
export function stateOf({ health }: Service): string {
  return health.state;
}

/** `health.json`. */
export function healthOf(service: Service): JsonObject {
  const { metrics, health } = service;
  const { probe } = health;
  return {
    state: health.state,
    enabled: health.enabled,
    last_control_op: health.lastControlOp,
    last_control_ms: health.lastControlMs,
    restarts_total: health.restartsTotal,
    cooldown_until_ms: health.cooldownUntilMs,
    cooldown_remaining_ms: health.cooldownRemainingMs,
    supervision: documentFromPolicy(health.policy),
    probe:
      probe === null ? null : { status: probe.status, message: probe.message, last_run_ms: probe.lastRunMs },
    last_error: health.reason,
    last_transition_ms: health.lastTransitionMs,
    last_healthy_ms: health.state === 'online' ? health.lastTransitionMs : health.lastHealthyMs,
    invokes_total: metrics.get('invokes_total'),
    failures_total: metrics.get('failures_total'),
    timeouts_total: metrics.get('timeouts_total'),
    consecutive_failures: health.consecutiveFailures,
    consecutive_timeouts: health.consecutiveTimeouts,
    running: service.running,
    queued: service.queued,
    ...identityOf(service),
  };
}
