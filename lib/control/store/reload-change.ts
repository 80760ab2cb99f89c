import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';

/** What names an entry of a list. */
const NAMES = ['file', 'path', 'service_id'];
/** Entries of a list that one event holds; the rest is in `reload.json`. */
const MAX_ENTRIES = 64;

/**
 * What of a node's report on its manifests differs from the one before: fields as they are now; of lists the
 * entries that changed, and in `removed` the names of those that are gone. Pure.
 */
export function reloadChange(before: JsonObject | null, after: JsonObject): JsonObject {
  const removed: string[] = [];
  let more = 0;
  const changed = Object.entries(after).flatMap(([field, value]): [string, JsonValue][] => {
    const old = before === null ? undefined : ownValue(before, field);
    if (same(old, value)) return [];
    if (!Array.isArray(value)) return [[field, value]];
    const known = new Map(listOf(old).map((entry) => [nameOf(entry), entry]));
    const entries = listOf(value).filter((entry) => !same(known.get(nameOf(entry)), entry));
    for (const entry of listOf(value)) known.delete(nameOf(entry));
    removed.push(...known.keys());
    more += Math.max(0, entries.length - MAX_ENTRIES);
    return entries.length === 0 ? [] : [[field, entries.slice(0, MAX_ENTRIES)]];
  });
  more += Math.max(0, removed.length - MAX_ENTRIES);
  return {
    ...Object.fromEntries(changed),
    ...(removed.length === 0 ? {} : { removed: removed.slice(0, MAX_ENTRIES) }),
    ...(more === 0 ? {} : { more }),
  };
}

function nameOf(entry: JsonValue): string {
  const name = isJsonObject(entry) ? NAMES.map((key) => ownValue(entry, key)).find(isText) : undefined;
  return name ?? JSON.stringify(entry);
}

const listOf = (value: JsonValue | undefined): readonly JsonValue[] =>
  Array.isArray(value) ? (value as readonly JsonValue[]) : [];

const isText = (value: unknown): value is string => typeof value === 'string';

function same(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
