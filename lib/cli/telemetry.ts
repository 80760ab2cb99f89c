import type { Log } from '../core/index.js';
import { isTelemetryAsked, startTelemetry, type Telemetry } from '../telemetry/index.js';
import { VERSION } from './version.js';

/** The way to a collector where the environment names one, and the log that goes there too. */
export interface Told {
  readonly telemetry: Telemetry | null;
  readonly log: Log;
}

/** `kind`: which command runs; `instance`: which of several. */
export async function telemetryFor(kind: string, instance: string, log: Log): Promise<Told> {
  if (!isTelemetryAsked(process.env)) return { telemetry: null, log };
  const telemetry = await startTelemetry({
    serviceName: `acheron-${kind}`,
    version: VERSION,
    instance,
    log,
  });
  return { telemetry, log: telemetry.logTo(log) };
}
