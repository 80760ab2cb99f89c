import type { Log, MetricFamily, Tracer } from '../core/index.js';

export interface TelemetryOptions {
  /** `service.name` where OTEL_SERVICE_NAME says none. */
  readonly serviceName: string;
  readonly version: string;
  /** Which of several it is: a node's id, a mount point. */
  readonly instance: string;
  /** Where it is said that nothing can be sent. */
  readonly log: Log;
}

/** The way to a collector, once it was asked for. */
export interface Telemetry {
  /** Null where traces are not to be sent. */
  readonly tracer: Tracer | null;
  /** The same log, whose lines are sent as well. */
  logTo(log: Log): Log;
  /** What is to be measured each time that metrics are sent. */
  measure(source: () => readonly MetricFamily[] | Promise<readonly MetricFamily[]>): void;
  /** Sends what is left, and waits for that no longer than a moment. */
  close(): Promise<void>;
}
