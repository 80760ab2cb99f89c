export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A plain JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own property `key`, never one that comes from a prototype. */
export function ownValue(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A document as every `.json` file of the tree shows it: indented by two, ends in a newline. */
export function documentFromJson(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/** One line of an NDJSON stream. */
export function lineFromJson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/**
 * The text of one object with the members of several, which share no name. An object that is made by spreading others takes
 * many times as long to become text.
 */
export function joinedJson(...objects: readonly object[]): string {
  let members = '';
  for (const object of objects) {
    const text = JSON.stringify(object);
    if (text !== '{}') members += `${members === '' ? '' : ','}${text.slice(1, -1)}`;
  }
  return `{${members}}`;
}

/**
 * Canonical text: keys sorted by UTF-16 code unit, no white space (as in RFC 8785). Equal values give
 * equal text, so a hash of it shows whether a value changed.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
  }
  return value === undefined ? 'null' : JSON.stringify(value);
}
