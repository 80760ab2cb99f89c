import type { JsonObject } from '../core/index.js';
import type { Job, JobEnd } from './jobs/job.js';

const COUNTERS = [
  'invokes_total',
  'failures_total',
  'consecutive_failures',
  'timeouts_total',
  'consecutive_timeouts',
  'cancelled_total',
  'rejected_total',
] as const;
type Counter = (typeof COUNTERS)[number];

/** Upper bounds of how long calls took, in seconds. */
export const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** How many of the newest durations the percentiles are taken from. */
const WINDOW = 1024;

/** What a service counts. Durable with each finished job, so that a kill loses nothing acknowledged. */
export class Metrics {
  readonly #counters = new Map<Counter, number>(COUNTERS.map((name) => [name, 0]));
  readonly #durations: number[] = [];
  /** How many calls took how long since the start, by `DURATION_BOUNDS`, and at last what took longer. */
  readonly durationCounts = new Array<number>(DURATION_BOUNDS.length + 1).fill(0);
  durationSumSeconds = 0;
  #next = 0;
  #lastDurationMs: number | null = null;
  #lastStartedMs: number | null = null;
  #lastFinishedMs: number | null = null;
  #lastExitCode: number | null = null;
  /** Calls that have started and not ended. */
  #begun = 0;

  get(counter: Counter): number {
    return this.#counters.get(counter) ?? 0;
  }

  countStart(nowMs: number): void {
    this.#add('invokes_total');
    this.#begun++;
    this.#lastStartedMs = nowMs;
  }

  countRejection(): void {
    this.#add('rejected_total');
  }

  /** A cancelled call says nothing of the driver's health: it neither continues nor ends a run of failures. */
  countEnd(end: JobEnd, { startedAtMs, acceptedAtMs }: Pick<Job, 'startedAtMs' | 'acceptedAtMs'>): void {
    if (startedAtMs !== null) this.#begun--;
    this.#lastFinishedMs = end.finishedAtMs;
    this.#lastExitCode = end.exitCode;
    this.#lastDurationMs = Math.max(0, end.finishedAtMs - (startedAtMs ?? acceptedAtMs));
    this.#durations[this.#next++ % WINDOW] = this.#lastDurationMs;
    this.#countDuration(this.#lastDurationMs / 1000);
    if (end.state === 'cancelled') return this.#add('cancelled_total');
    if (end.state === 'ok') {
      this.#counters.set('consecutive_failures', 0);
      this.#counters.set('consecutive_timeouts', 0);
      return;
    }
    this.#add('failures_total');
    this.#add('consecutive_failures');
    if (end.state === 'timeout') {
      this.#add('timeouts_total');
      this.#add('consecutive_timeouts');
    } else this.#counters.set('consecutive_timeouts', 0);
  }

  /** When a call last began or ended; 0 before the first. */
  get lastCallMs(): number {
    return Math.max(this.#lastStartedMs ?? 0, this.#lastFinishedMs ?? 0);
  }

  /** `control/restart` and `enable` start the runs of failures over. */
  clearConsecutive(): void {
    this.#counters.set('consecutive_failures', 0);
    this.#counters.set('consecutive_timeouts', 0);
  }

  /** `metrics.json`. */
  toDocument(running: number, queued: number): JsonObject {
    const sorted = [...this.#durations].sort((a, b) => a - b);
    const percentile = (share: number): number | null => sorted[Math.ceil(sorted.length * share) - 1] ?? null;
    return {
      ...Object.fromEntries(this.#counters),
      running,
      queued,
      last_duration_ms: this.#lastDurationMs,
      last_started_ms: this.#lastStartedMs,
      last_finished_ms: this.#lastFinishedMs,
      last_exit_code: this.#lastExitCode,
      duration_ms: { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) },
    };
  }

  /**
   * What is kept on disk: everything but the window of durations. Calls that still run are not counted: a
   * start after a kill counts them as interrupted.
   */
  toRecord(): JsonObject {
    return {
      // Each by its name: it is made at the end of each call, and becomes text much sooner so.
      invokes_total: this.get('invokes_total') - this.#begun,
      failures_total: this.get('failures_total'),
      consecutive_failures: this.get('consecutive_failures'),
      timeouts_total: this.get('timeouts_total'),
      consecutive_timeouts: this.get('consecutive_timeouts'),
      cancelled_total: this.get('cancelled_total'),
      rejected_total: this.get('rejected_total'),
      last_duration_ms: this.#lastDurationMs,
      last_started_ms: this.#lastStartedMs,
      last_finished_ms: this.#lastFinishedMs,
      last_exit_code: this.#lastExitCode,
    } satisfies Record<Counter, number> & JsonObject;
  }

  restore(record: JsonObject): void {
    for (const name of COUNTERS) this.#counters.set(name, numberOr(record[name], 0));
    this.#lastDurationMs = numberOr(record.last_duration_ms, null);
    this.#lastStartedMs = numberOr(record.last_started_ms, null);
    this.#lastFinishedMs = numberOr(record.last_finished_ms, null);
    this.#lastExitCode = numberOr(record.last_exit_code, null);
  }

  #countDuration(seconds: number): void {
    const at = DURATION_BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = at === -1 ? DURATION_BOUNDS.length : at;
    this.durationCounts[bucket] = (this.durationCounts[bucket] ?? 0) + 1;
    this.durationSumSeconds += seconds;
  }

  #add(counter: Counter): void {
    this.#counters.set(counter, this.get(counter) + 1);
  }
}

function numberOr<Fallback>(value: unknown, fallback: Fallback): number | Fallback {
  return typeof value === 'number' ? value : fallback;
}

const TOTALS = ['invokes_total', 'cancelled_total', 'rejected_total'] as const satisfies readonly Counter[];

/**
 * The later of two records of the same service: totals only grow, and where they are equal only a control
 * can have changed anything since, which is in what `saved` holds.
 */
export function laterMetrics(recorded: JsonObject | null, saved: JsonObject): JsonObject {
  const total = (record: JsonObject): number =>
    TOTALS.reduce((sum, name) => sum + numberOr(record[name], 0), 0);
  return recorded === null || total(saved) >= total(recorded) ? saved : recorded;
}
