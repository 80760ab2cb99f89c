import { diag, DiagLogLevel } from '@opentelemetry/api';
import {
  detectResources,
  envDetector,
  resourceFromAttributes,
  type Resource,
} from '@opentelemetry/resources';
import type { Log } from '../../core/index.js';
import type { Telemetry, TelemetryOptions } from '../telemetry.js';
import { startLogs } from './logs.js';
import { startMetrics } from './metrics.js';
import { startTraces } from './traces.js';

/** A process that ends waits no longer than this for its collector. */
const CLOSE_MS = 2000;
/** That nothing can be sent is said so often at most. */
const SAY_EVERY_MS = 60_000;

/**
 * Begins to send traces, metrics and logs by OTLP over HTTP, as the OTEL_* variables say. What cannot be sent is
 * dropped, and the log says so; nobody waits for it.
 */
export function startTelemetry(options: TelemetryOptions, env: NodeJS.ProcessEnv = process.env): Telemetry {
  const { log } = options;
  sayFailures(log);
  const protocol = env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  if (protocol !== undefined && protocol !== '' && protocol !== 'http/json')
    log.warn('OpenTelemetry is sent as http/json, whatever OTEL_EXPORTER_OTLP_PROTOCOL says.', { protocol });
  const resource = resourceOf(options);
  const traces = isSent('TRACES', env) ? startTraces(resource, options.version) : null;
  const logs = isSent('LOGS', env) ? startLogs(resource, options.version) : null;
  const metrics = isSent('METRICS', env) ? startMetrics(resource, env) : null;
  return {
    tracer: traces?.tracer ?? null,
    logTo: (other) => logs?.logTo(other) ?? other,
    measure: (source) => metrics?.measure(source),
    close: async () => {
      const closed = [traces, metrics, logs].map((one) => one?.close() ?? Promise.resolve());
      const late = new Promise<'late'>((resolve) => setTimeout(resolve, CLOSE_MS, 'late').unref());
      const ended = Promise.allSettled(closed);
      if ((await Promise.race([ended, late])) === 'late')
        log.warn('The collector of OpenTelemetry did not take what was left in time.');
    },
  };
}

/** `OTEL_<SIGNAL>_EXPORTER=none` leaves one out; a collector of its own, or one for all, must be named. */
function isSent(signal: 'TRACES' | 'LOGS' | 'METRICS', env: NodeJS.ProcessEnv): boolean {
  if (env[`OTEL_${signal}_EXPORTER`]?.trim() === 'none') return false;
  return ['', `${signal}_`].some((which) => (env[`OTEL_EXPORTER_OTLP_${which}ENDPOINT`] ?? '').trim() !== '');
}

function resourceOf({ serviceName, version, instance }: TelemetryOptions): Resource {
  const own = resourceFromAttributes({
    'service.name': serviceName,
    'service.version': version,
    'service.instance.id': instance,
    'process.pid': process.pid,
  });
  return own.merge(detectResources({ detectors: [envDetector] }));
}

/** Once a minute at most: a collector that is away fails every few seconds. */
function sayFailures(log: Log): void {
  let saidAtMs = -Infinity;
  const say = (error: string): void => {
    const nowMs = performance.now();
    if (nowMs - saidAtMs < SAY_EVERY_MS) return;
    saidAtMs = nowMs;
    log.warn('OpenTelemetry could not be sent.', { error });
  };
  const nothing = (): void => undefined;
  diag.setLogger(
    { error: (text) => say(messageIn(text)), warn: say, info: nothing, debug: nothing, verbose: nothing },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** The SDK says an error as the JSON of it, stack and all. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' && message !== '' ? message : text;
  } catch {
    return text;
  }
}
