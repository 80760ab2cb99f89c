import type { FsError } from '../core/index.js';
import { isTooMuch, type BreakerState } from './breaker.js';
import type { SupervisionPolicy } from './policy.js';
import type { ProbeReport } from './probe-report.js';

export type HealthState = 'online' | 'degraded' | 'offline';

export interface HealthAssessment {
  readonly state: HealthState;
  /** Why it is not online; null when it is. */
  readonly reason: string | null;
}

export interface HealthFacts {
  readonly enabled: boolean;
  readonly breaker: BreakerState;
  readonly policy: SupervisionPolicy;
  readonly fault: FsError | null;
  readonly probe: ProbeReport | null;
}

const ONLINE: HealthAssessment = { state: 'online', reason: null };

/** What the facts about a service come to. Pure; the worst counts. */
export function assessHealth({ enabled, breaker, policy, fault, probe }: HealthFacts): HealthAssessment {
  if (!enabled) return { state: 'offline', reason: 'It is disabled.' };
  if (fault !== null) return { state: 'offline', reason: fault.message };
  const failures = `${breaker.consecutiveFailures} calls in a row failed (${breaker.consecutiveTimeouts} timeouts).`;
  if (breaker.position === 'open' && breaker.untilMs === null) return { state: 'offline', reason: failures };
  if (probe?.status === 'critical') return { state: 'offline', reason: `Its probe fails: ${probe.message}` };
  if (breaker.position !== 'closed' || isTooMuch(breaker, policy))
    return { state: 'degraded', reason: failures };
  if (probe?.status === 'warning') return { state: 'degraded', reason: `Its probe warns: ${probe.message}` };
  return ONLINE;
}

const RANK: Record<HealthState, number> = { online: 0, degraded: 1, offline: 2 };

export function isWorse(one: HealthState, other: HealthState): boolean {
  return RANK[one] > RANK[other];
}
