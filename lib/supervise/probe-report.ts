import type { ProbeDefinition } from '../manifest/index.js';

export type ProbeStatus = 'passing' | 'warning' | 'critical';

export interface ProbeResult {
  readonly status: ProbeStatus;
  /** The start of what it said. */
  readonly message: string;
}

/** What the probes so far come to. */
export interface ProbeReport extends ProbeResult {
  readonly last: ProbeStatus;
  readonly lastRunMs: number;
  /** Runs in a row whose result differs from `status`. */
  readonly differing: number;
}

/**
 * The report after one more run: `healthy_after` passing runs in a row make it passing again,
 * `unhealthy_after` others make it what the last of them said. The first run counts at once. Pure.
 */
export function reportAfter(
  before: ProbeReport | null,
  result: ProbeResult,
  rule: Pick<ProbeDefinition, 'healthyAfter' | 'unhealthyAfter'>,
  nowMs: number,
): ProbeReport {
  const { status, message } = result;
  if (before === null || before.status === status)
    return { status, message, last: status, lastRunMs: nowMs, differing: 0 };
  const differing = before.differing + 1;
  const needed = status === 'passing' ? rule.healthyAfter : rule.unhealthyAfter;
  if (differing >= needed) return { status, message, last: status, lastRunMs: nowMs, differing: 0 };
  return { ...before, last: status, lastRunMs: nowMs, differing };
}
