import { ownValue, type JsonObject } from '../../core/index.js';
import type { HistoryChange, RecordedChange } from '../../manifest/index.js';

const CHANGES: ReadonlySet<unknown> = new Set<HistoryChange>([
  'added',
  'updated',
  'removed',
  'enabled',
  'disabled',
  'config',
]);

/** A change as a line of the log; the descriptor where the log does not have it yet. */
export function lineFromChange(
  serviceId: string,
  recorded: RecordedChange,
  descriptor: JsonObject | null,
): JsonObject {
  const { revision, timestampMs, change, version, hash, fields, source } = recorded;
  return {
    ...{ revision, timestamp_ms: timestampMs, service_id: serviceId, change, version, hash, source },
    ...(fields.length === 0 ? {} : { fields: [...fields] }),
    ...(descriptor === null ? {} : { descriptor }),
  };
}

/** Undefined where the line is none. */
export function changeFromLine(line: JsonObject): RecordedChange | undefined {
  const [revision, timestampMs, serviceId] = ['revision', 'timestamp_ms', 'service_id'].map((name) =>
    ownValue(line, name),
  );
  const change = ownValue(line, 'change');
  if (typeof revision !== 'number' || typeof timestampMs !== 'number' || typeof serviceId !== 'string')
    return undefined;
  if (!CHANGES.has(change)) return undefined;
  const text = (name: string): string | null => {
    const value = ownValue(line, name);
    return typeof value === 'string' ? value : null;
  };
  const fields = ownValue(line, 'fields');
  return {
    ...{ revision, timestampMs, change: change as HistoryChange },
    version: text('version'),
    hash: text('hash'),
    fields: Array.isArray(fields) ? fields.filter((field) => typeof field === 'string') : [],
    source: text('source'),
  };
}
