import type { Log, Tracer } from '../core/index.js';
import { isTelemetryAsked, loggedTracer, startTelemetry, type Telemetry } from '../telemetry/index.js';
import { logLevel } from './process-log.js';
import { VERSION } from './version.js';

/** The way to a collector where the environment names one, and the log that goes there too. */
export interface Told {
  readonly telemetry: Telemetry | null;
  readonly log: Log;
  /** Where calls that pass are on record: at the collector, and in the log where that has them; null: nowhere. */
  readonly tracer: Tracer | null;
}

/** `kind`: which command runs; `instance`: which of several. */
export async function telemetryFor(kind: string, instance: string, log: Log): Promise<Told> {
  const isLogged = ['info', 'debug'].includes(logLevel.current());
  if (!isTelemetryAsked(process.env))
    return { telemetry: null, log, tracer: isLogged ? loggedTracer(log, null) : null };
  const telemetry = await startTelemetry({
    serviceName: `acheron-${kind}`,
    version: VERSION,
    instance,
    log,
  });
  const both = telemetry.logTo(log);
  const { tracer } = telemetry;
  return { telemetry, log: both, tracer: isLogged ? loggedTracer(both, tracer) : tracer };
}
