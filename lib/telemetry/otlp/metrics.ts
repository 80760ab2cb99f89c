import { ValueType, type HrTime } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import { FsError, type MetricFamily } from '../../core/index.js';
import type { Telemetry } from '../telemetry.js';

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 30_000;

/** The same metrics as on a port, sent from time to time. */
export function startMetrics(
  resource: Resource,
  env: NodeJS.ProcessEnv,
): Pick<Telemetry, 'measure' | 'close'> {
  const sources: Parameters<Telemetry['measure']>[0][] = [];
  const startTime = hrTimeOf(Date.now());
  const producer: MetricProducer = {
    collect: async () => {
      const endTime = hrTimeOf(Date.now());
      const metrics: MetricData[] = [];
      const errors: unknown[] = [];
      for (const source of sources)
        try {
          metrics.push(...(await source()).map((family) => metricFrom(family, startTime, endTime)));
        } catch (thrown) {
          errors.push(FsError.from(thrown));
        }
      return {
        resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'acheron' }, metrics }] },
        errors,
      };
    },
  };
  const exportIntervalMillis = millisecondsIn(env['OTEL_METRIC_EXPORT_INTERVAL'], DEFAULT_INTERVAL_MS);
  const timeout = millisecondsIn(env['OTEL_METRIC_EXPORT_TIMEOUT'], DEFAULT_TIMEOUT_MS);
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(timeout, exportIntervalMillis),
    metricProducers: [producer],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  return { measure: (source) => void sources.push(source), close: () => provider.shutdown() };
}

function metricFrom(family: MetricFamily, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, help: description } = family;
  const descriptor = { name, description, unit: unitOf(name), valueType: ValueType.DOUBLE };
  const aggregationTemporality = AggregationTemporality.CUMULATIVE;
  if (family.type === 'histogram')
    return {
      descriptor,
      aggregationTemporality,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: family.samples.map(({ labels, bounds, counts, sum }) => ({
        startTime,
        endTime,
        attributes: { ...labels },
        value: {
          buckets: { boundaries: [...bounds], counts: [...counts] },
          sum,
          count: counts.reduce((total, count) => total + count, 0),
        },
      })),
    };
  const dataPoints = family.samples.map(({ labels, value }) => ({
    startTime,
    endTime,
    attributes: { ...labels },
    value,
  }));
  return family.type === 'counter'
    ? { descriptor, aggregationTemporality, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { descriptor, aggregationTemporality, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** By the unit that a name of Prometheus ends in, as UCUM writes it. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 's';
  return /_bytes(_total)?$/.test(name) ? 'By' : '';
}

function millisecondsIn(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return text !== undefined && text.trim() !== '' && Number.isSafeInteger(value) && value > 0
    ? value
    : otherwise;
}

function hrTimeOf(ms: number): HrTime {
  return [Math.floor(ms / 1000), (ms % 1000) * 1e6];
}
