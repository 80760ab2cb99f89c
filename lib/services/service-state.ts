import { isJsonObject, type JsonObject } from '../core/index.js';

/** What is kept of a service across restarts, apart from its jobs. */
export interface ServiceState {
  readonly enabled: boolean;
  readonly config: JsonObject;
  readonly restartsTotal: number;
  readonly lastControlOp: string | null;
  readonly lastControlMs: number | null;
  readonly metrics: JsonObject;
  readonly supervision: JsonObject;
  /** The definition that this state was last used with, and since when: keeps mtimes honest. */
  readonly digest: string;
  readonly definedAtMs: number;
  readonly revision: number;
}

export function serviceStateFrom(value: unknown): ServiceState | null {
  if (!isJsonObject(value)) return null;
  const number = (key: string): number | null => (typeof value[key] === 'number' ? value[key] : null);
  return {
    enabled: value.enabled !== false,
    config: isJsonObject(value.config) ? value.config : {},
    restartsTotal: number('restarts_total') ?? 0,
    lastControlOp: typeof value.last_control_op === 'string' ? value.last_control_op : null,
    lastControlMs: number('last_control_ms'),
    metrics: isJsonObject(value.metrics) ? value.metrics : {},
    supervision: isJsonObject(value.supervision) ? value.supervision : {},
    digest: typeof value.digest === 'string' ? value.digest : '',
    definedAtMs: number('defined_at_ms') ?? 0,
    revision: number('revision') ?? 1,
  };
}

export function recordFromServiceState(state: ServiceState): JsonObject {
  return {
    enabled: state.enabled,
    config: state.config,
    restarts_total: state.restartsTotal,
    last_control_op: state.lastControlOp,
    last_control_ms: state.lastControlMs,
    metrics: state.metrics,
    supervision: state.supervision,
    digest: state.digest,
    defined_at_ms: state.definedAtMs,
    revision: state.revision,
  };
}
