import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import type { Log, LogFacts } from '../../core/index.js';

const SEVERITIES = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
};

/** Lines of a log, sent in batches. */
export function startLogs(
  resource: Resource,
  version: string,
): { logTo(log: Log): Log; close(): Promise<void> } {
  const provider = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor(new OTLPLogExporter())],
  });
  const logger = provider.getLogger('acheron', version);
  const sent =
    (level: keyof typeof SEVERITIES, log: Log) =>
    (message: string, facts?: LogFacts): void => {
      log[level](message, facts);
      logger.emit({
        severityNumber: SEVERITIES[level],
        severityText: level.toUpperCase(),
        body: message,
        attributes: attributesFrom(facts),
      });
    };
  return {
    logTo: (log) => ({
      debug: sent('debug', log),
      info: sent('info', log),
      warn: sent('warn', log),
      error: sent('error', log),
    }),
    close: () => provider.shutdown(),
  };
}

function attributesFrom(facts: LogFacts = {}): Record<string, string | number | boolean> {
  const attributes: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === null) continue;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      attributes[name] = value;
    else attributes[name] = value instanceof Error ? value.message : JSON.stringify(value);
  }
  return attributes;
}
