/** What is measured, in the words of Prometheus: names end in their unit, counters in `_total`. */
export type MetricFamily = {
  readonly name: string;
  readonly help: string;
} & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly MetricSample[] }
  | { readonly type: 'histogram'; readonly samples: readonly HistogramSample[] }
);

export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricSample {
  readonly labels: MetricLabels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: MetricLabels;
  /** Upper bounds, rising; what is larger is in no bucket of these. */
  readonly bounds: readonly number[];
  /** How many fell into each bucket alone, and at last how many are larger. */
  readonly counts: readonly number[];
  readonly sum: number;
}
