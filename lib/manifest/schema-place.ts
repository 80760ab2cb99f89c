import { isJsonObject, type JsonValue } from '../core/index.js';
import { regExpFrom } from './schema-dialect.js';

/** The place in a schema that a compiler of schemas threw for, as a JSON Pointer; empty where that is unknown. */
export function placeOfFault(schema: JsonValue, thrown: unknown): { path: string; hint: string } {
  const pattern = find(schema, (key, value, parent) => {
    if (key === 'pattern') return typeof value === 'string' && !isPattern(value);
    return parent === 'patternProperties' && !isPattern(key);
  });
  if (pattern !== null)
    return {
      path: pattern,
      hint: 'A pattern is a regular expression of ECMAScript, without slashes around it.',
    };
  const missing = (thrown as { missingRef?: unknown }).missingRef;
  const isMissing = (key: string, value: JsonValue): boolean =>
    (key === '$ref' || key === '$dynamicRef') &&
    typeof value === 'string' &&
    typeof missing === 'string' &&
    (missing === value || missing.endsWith(value));
  const reference = typeof missing === 'string' ? find(schema, isMissing) : null;
  if (reference !== null)
    return {
      path: reference,
      hint: 'Nothing is fetched: a reference leads to a place in the schema itself ("#/$defs/…"), or to an "$id" in it.',
    };
  return { path: '', hint: 'See https://json-schema.org/understanding-json-schema for what keywords take.' };
}

/** The first place of a keyword in a schema. */
export function placeOfKey(schema: JsonValue, name: string): string {
  return find(schema, (key) => key === name) ?? '';
}

function isPattern(text: string): boolean {
  try {
    regExpFrom(text);
    return true;
  } catch {
    return false;
  }
}

type Test = (key: string, value: JsonValue, parentKey: string) => boolean;

function find(value: JsonValue, test: Test, path = '', parentKey = ''): string | null {
  const entries: [string, JsonValue][] = Array.isArray(value)
    ? (value as readonly JsonValue[]).map((item, at) => [String(at), item])
    : isJsonObject(value)
      ? Object.entries(value)
      : [];
  for (const [key, part] of entries) {
    const place = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (test(key, part, parentKey)) return place;
    const below = find(part, test, place, key);
    if (below !== null) return below;
  }
  return null;
}
