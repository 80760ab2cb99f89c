/**
 * What those who answer for machines are told: spans of calls through the processes that they pass, metrics, whether
 * a process is well. Where it goes is decided here alone: to whom asks on a port, and by OTLP to a collector. The
 * library for the latter is loaded where it is asked for, and nothing else of the program imports it.
 */
import type { Telemetry, TelemetryOptions } from './telemetry.js';

export { healthServer, type HealthServer, type HealthSource } from './health-server.js';
export { loggedTracer } from './logged-tracer.js';
export { isTelemetryAsked } from './is-telemetry-asked.js';
export { processMetrics } from './process-metrics.js';
export { prometheusText } from './prometheus-text.js';
export { tracedTree } from './traced-tree.js';
export type { Telemetry, TelemetryOptions } from './telemetry.js';

/** Loads what speaks OTLP, and begins. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  return (await import('./otlp/start-telemetry.js')).startTelemetry(options);
}
