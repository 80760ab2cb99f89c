/** What a service's metrics said at one time. */
export interface Sample {
  readonly atMs: number;
  readonly calls: number;
  readonly failures: number;
  readonly running: number;
  readonly queued: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export const MAX_SAMPLES = 600;
const LEAST_APART_MS = 1_000;

/** With one more sample; at most MAX_SAMPLES: of the older half every second one goes, so that it stays a long time. */
export function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const [before, last] = samples.slice(-2);
  // A burst of calls is one point, which moves on.
  const isBurst = before !== undefined && last !== undefined && last.atMs - before.atMs < LEAST_APART_MS;
  const all = [...(isBurst ? samples.slice(0, -1) : samples), sample];
  if (all.length <= MAX_SAMPLES) return all;
  const half = MAX_SAMPLES / 2;
  return [...all.slice(0, half).filter((_, at) => at % 2 === 0), ...all.slice(half)];
}

const WINDOW_MS = 60_000;

/** How much a counter rose within the minute before each sample; null for the first, and where it began anew. */
export function perMinute(samples: readonly Sample[], of: 'calls' | 'failures'): (number | null)[] {
  let from = 0;
  return samples.map((sample, at) => {
    while (from + 1 < at && (samples[from + 1]?.atMs ?? Infinity) <= sample.atMs - WINDOW_MS) from++;
    const before = samples[from];
    if (at === 0 || before === undefined || sample[of] < before[of]) return null;
    // What is older than the window is taken by its share of it.
    const overMs = Math.max(WINDOW_MS, sample.atMs - before.atMs);
    return ((sample[of] - before[of]) * WINDOW_MS) / overMs;
  });
}

export function sampleFrom(metrics: Readonly<Record<string, unknown>>, atMs: number): Sample {
  const durations = (metrics.duration_ms ?? {}) as Readonly<Record<string, unknown>>;
  return {
    atMs,
    calls: numberOf(metrics.invokes_total) ?? 0,
    failures: numberOf(metrics.failures_total) ?? 0,
    running: numberOf(metrics.running) ?? 0,
    queued: numberOf(metrics.queued) ?? 0,
    p50: numberOf(durations.p50),
    p95: numberOf(durations.p95),
    p99: numberOf(durations.p99),
  };
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
