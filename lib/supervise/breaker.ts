import type { SupervisionPolicy } from './policy.js';

/** How a call ended, as far as it says something of the service's health. */
export type CallVerdict = 'ok' | 'failure' | 'timeout' | 'cancelled';

/**
 * `closed`: calls run. `open`: they are refused until `untilMs`, or until someone acts when that is null.
 * `trial`: the rest is over and one call may show whether it helped.
 */
export interface BreakerState {
  readonly position: 'closed' | 'open' | 'trial';
  readonly untilMs: number | null;
  readonly consecutiveFailures: number;
  readonly consecutiveTimeouts: number;
}

export const CLOSED: BreakerState = {
  position: 'closed',
  untilMs: null,
  consecutiveFailures: 0,
  consecutiveTimeouts: 0,
};

/** The state after a call ended. Pure. A call that was cancelled changes nothing. */
export function afterCall(
  state: BreakerState,
  end: CallVerdict,
  policy: SupervisionPolicy,
  nowMs: number,
): BreakerState {
  if (end === 'cancelled') return state;
  if (end === 'ok') return state.position === 'open' ? state : CLOSED;
  const next: BreakerState = {
    ...state,
    consecutiveFailures: state.consecutiveFailures + 1,
    consecutiveTimeouts: end === 'timeout' ? state.consecutiveTimeouts + 1 : 0,
  };
  if (state.position === 'open' || !policy.autoDisableOnThreshold) return next;
  if (state.position === 'closed' && !isTooMuch(next, policy)) return next;
  return { ...next, position: 'open', untilMs: policy.cooldownMs === 0 ? null : nowMs + policy.cooldownMs };
}

/** The state once time has passed: a rest that is over makes room for a trial. Pure. */
export function atTime(state: BreakerState, nowMs: number): BreakerState {
  const isOver = state.position === 'open' && state.untilMs !== null && nowMs >= state.untilMs;
  return isOver ? { ...state, position: 'trial', untilMs: null } : state;
}

export function isTooMuch(
  state: Pick<BreakerState, 'consecutiveFailures' | 'consecutiveTimeouts'>,
  policy: SupervisionPolicy,
): boolean {
  const { maxConsecutiveFailures: failures, maxConsecutiveTimeouts: timeouts } = policy;
  return (
    (failures > 0 && state.consecutiveFailures >= failures) ||
    (timeouts > 0 && state.consecutiveTimeouts >= timeouts)
  );
}
