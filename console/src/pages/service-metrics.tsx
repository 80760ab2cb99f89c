import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { perMinute, type Sample } from '../model/samples.js';
import { Plot } from '../parts/plot.js';
import type { Line } from '../plots/mount-plot.js';

const SHOWN = [
  ['invokes_total', 'calls'],
  ['failures_total', 'failed'],
  ['timeouts_total', 'timed out'],
  ['cancelled_total', 'cancelled'],
  ['rejected_total', 'rejected'],
] as const;

const [SOLID, DASHED, DOTTED] = [[], [8, 4], [2, 3]] as const;

const LATENCY: readonly Line[] = [
  { label: 'p50', colour: '--accent', dash: SOLID },
  { label: 'p95', colour: '--warn', dash: DASHED },
  { label: 'p99', colour: '--bad', dash: DOTTED },
];
const CALLS: readonly Line[] = [
  { label: 'calls', colour: '--accent', dash: SOLID },
  { label: 'failed', colour: '--bad', dash: DOTTED },
];
const QUEUE: readonly Line[] = [
  { label: 'running', colour: '--accent', dash: SOLID },
  { label: 'queued', colour: '--warn', dash: DASHED },
];

interface Props {
  readonly metrics: Readonly<Record<string, unknown>>;
  /** What was seen since the page is open, oldest first. */
  readonly samples: readonly Sample[];
}

/** What the service counts, and how that went since the page is open. */
export function ServiceMetrics({ metrics, samples }: Props): JSX.Element {
  const timesMs = useMemo(() => samples.map(({ atMs }) => atMs), [samples]);
  const latency = useMemo(
    () => ({
      timesMs,
      values: (['p50', 'p95', 'p99'] as const).map((name) => samples.map((one) => one[name])),
    }),
    [samples],
  );
  const calls = useMemo(
    () => ({ timesMs, values: [perMinute(samples, 'calls'), perMinute(samples, 'failures')] }),
    [samples],
  );
  const queue = useMemo(
    () => ({
      timesMs,
      values: (['running', 'queued'] as const).map((name) => samples.map((one) => one[name])),
    }),
    [samples],
  );
  return (
    <section aria-labelledby="metrics">
      <h2 id="metrics">Metrics</h2>
      <dl class="totals">
        {SHOWN.map(([name, label]) => [label, metrics[name]] as const)
          .filter(([, value]) => typeof value === 'number')
          .map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{(value as number).toLocaleString('en')}</dd>
            </div>
          ))}
      </dl>
      <div class="plots">
        <Plot title="Latency" unit="ms" lines={LATENCY} data={latency} />
        <Plot title="Calls" unit="per minute" lines={CALLS} data={calls} isStepped />
        <Plot title="Queue" unit="" lines={QUEUE} data={queue} isStepped />
      </div>
    </section>
  );
}
