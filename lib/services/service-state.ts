import { isJsonObject, type JsonObject } from '../core/index.js';
import { CLOSED, type BreakerState, type SupervisorState } from '../supervise/index.js';

/** What is kept of a service across restarts, apart from its jobs. */
export interface ServiceState {
  readonly config: JsonObject;
  readonly metrics: JsonObject;
  /** Enabled, breaker, control history; null when nothing of it was kept. */
  readonly supervision: SupervisorState | null;
  /** The definition that this state was last used with, and since when: keeps mtimes honest. */
  readonly digest: string;
  readonly definedAtMs: number;
  readonly revision: number;
}

export function serviceStateFrom(value: unknown): ServiceState | null {
  if (!isJsonObject(value)) return null;
  const number = (key: string): number | null => (typeof value[key] === 'number' ? value[key] : null);
  return {
    config: isJsonObject(value.config) ? value.config : {},
    metrics: isJsonObject(value.metrics) ? value.metrics : {},
    supervision: isJsonObject(value.supervision) ? supervisionFrom(value, value.supervision) : null,
    digest: typeof value.digest === 'string' ? value.digest : '',
    definedAtMs: number('defined_at_ms') ?? 0,
    revision: number('revision') ?? 1,
  };
}

export function recordFromServiceState(state: ServiceState): JsonObject {
  return {
    enabled: state.supervision?.enabled ?? true,
    config: state.config,
    metrics: state.metrics,
    restarts_total: state.supervision?.restartsTotal ?? 0,
    last_control_op: state.supervision?.lastControlOp ?? null,
    last_control_ms: state.supervision?.lastControlMs ?? null,
    supervision: {
      breaker: { ...(state.supervision?.breaker ?? CLOSED) },
      last_transition_ms: state.supervision?.lastTransitionMs ?? null,
      last_healthy_ms: state.supervision?.lastHealthyMs ?? null,
    },
    digest: state.digest,
    defined_at_ms: state.definedAtMs,
    revision: state.revision,
  };
}

function supervisionFrom(record: JsonObject, supervision: JsonObject): SupervisorState {
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  const isDisabledByControl = record.enabled === false && typeof record.last_control_op === 'string';
  return {
    // Older releases kept here too what the manifest said; where it says so now, there is no service.
    enabled: !isDisabledByControl,
    breaker: isJsonObject(supervision.breaker) ? breakerFrom(supervision.breaker) : CLOSED,
    restartsTotal: number(record.restarts_total) ?? 0,
    lastControlOp: typeof record.last_control_op === 'string' ? record.last_control_op : null,
    lastControlMs: number(record.last_control_ms),
    lastTransitionMs: number(supervision.last_transition_ms),
    lastHealthyMs: number(supervision.last_healthy_ms),
  };
}

function breakerFrom(record: JsonObject): BreakerState {
  const { position, untilMs, consecutiveFailures, consecutiveTimeouts } = record;
  if (position !== 'closed' && position !== 'open' && position !== 'trial') return CLOSED;
  return {
    position,
    untilMs: typeof untilMs === 'number' ? untilMs : null,
    consecutiveFailures: Number(consecutiveFailures),
    consecutiveTimeouts: Number(consecutiveTimeouts),
  };
}
