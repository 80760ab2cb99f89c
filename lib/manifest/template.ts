import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { InputValidator } from './input-schema.js';
import { regExpFrom } from './schema-dialect.js';

const MAX_DEPTH = 8;
const MAX_ITEMS = 16;

/**
 * A request that passes `schema`, for a form to start from: what the schema itself offers (default, const,
 * examples, enum), else the plainest value of the type. Undefined when none that was tried passes.
 */
export function templateFromSchema(
  schema: JsonValue | undefined,
  validate: InputValidator,
): JsonObject | undefined {
  const candidates = (): (JsonValue | undefined)[] =>
    isJsonObject(schema)
      ? [
          new Sketch(schema, true).valueOf(schema, 0),
          new Sketch(schema, false).valueOf(schema, 0),
          ...offered(schema),
          {},
        ]
      : [{}];
  for (const candidate of candidates())
    if (isJsonObject(candidate) && validate(candidate) === null) return candidate;
  return undefined;
}

/** Values that a schema names itself, the most specific first. */
function offered(schema: JsonObject): JsonValue[] {
  const list: JsonValue[] = [];
  for (const key of ['default', 'const', 'example']) {
    const value = ownValue(schema, key);
    if (value !== undefined) list.push(value);
  }
  for (const key of ['examples', 'enum']) {
    const values = ownValue(schema, key);
    if (Array.isArray(values)) list.push(...(values.slice(0, 4) as JsonValue[]));
  }
  return list;
}

class Sketch {
  readonly #root: JsonObject;
  readonly #withOptional: boolean;

  constructor(root: JsonObject, withOptional: boolean) {
    this.#root = root;
    this.#withOptional = withOptional;
  }

  valueOf(schema: JsonValue | undefined, depth: number): JsonValue {
    if (!isJsonObject(schema) || depth > MAX_DEPTH) return null;
    const [first] = offered(schema);
    if (first !== undefined) return first;
    const ref = ownValue(schema, '$ref');
    if (typeof ref === 'string') return this.valueOf(this.#resolve(ref), depth + 1);
    const [alternative] = ['oneOf', 'anyOf'].flatMap((key) => {
      const list = ownValue(schema, key);
      return Array.isArray(list) ? (list as readonly JsonValue[]).slice(0, 1) : [];
    });
    const parts = [schema, alternative, ...((ownValue(schema, 'allOf') ?? []) as JsonValue[])]
      .map((part) => this.#followed(part))
      .filter((part): part is JsonObject => part !== undefined);
    const type = parts.map(typeOf).find((name) => name !== undefined);
    switch (type) {
      case 'object':
        return this.#object(parts, depth);
      case 'array':
        return this.#array(Object.assign({}, ...parts) as JsonObject, depth);
      case 'string':
        return string(Object.assign({}, ...parts) as JsonObject);
      case 'integer':
      case 'number':
        return number(Object.assign({}, ...parts) as JsonObject, type === 'integer');
      case 'boolean':
        return false;
      case 'null':
        return null;
      default:
        return alternative === undefined ? (depth === 0 ? {} : '') : this.valueOf(alternative, depth + 1);
    }
  }

  #followed(part: JsonValue | undefined): JsonObject | undefined {
    if (!isJsonObject(part)) return undefined;
    const ref = ownValue(part, '$ref');
    if (typeof ref !== 'string') return part;
    const target = this.#resolve(ref);
    return isJsonObject(target) ? target : undefined;
  }

  #object(parts: readonly JsonObject[], depth: number): JsonValue {
    const properties = new Map<string, JsonValue>();
    const required = new Set<string>();
    for (const part of parts) {
      const own = ownValue(part, 'properties');
      if (isJsonObject(own)) for (const [name, schema] of Object.entries(own)) properties.set(name, schema);
      const names = ownValue(part, 'required');
      if (Array.isArray(names)) for (const name of names) required.add(String(name));
    }
    for (const name of required) if (!properties.has(name)) properties.set(name, {});
    const entries: [string, JsonValue][] = [];
    for (const [name, schema] of properties) {
      const hasExample = isJsonObject(schema) && offered(schema).length > 0;
      if (required.has(name) || (this.#withOptional && hasExample))
        entries.push([name, this.valueOf(schema, depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  #array(schema: JsonObject, depth: number): JsonValue {
    const prefix = ownValue(schema, 'prefixItems');
    const items = ownValue(schema, 'items');
    const least = Math.min(Number(ownValue(schema, 'minItems') ?? 0), MAX_ITEMS);
    const list: JsonValue[] = [];
    const heads = Array.isArray(prefix) ? prefix : Array.isArray(items) ? items : [];
    for (const head of (heads as readonly JsonValue[]).slice(0, MAX_ITEMS))
      list.push(this.valueOf(head, depth + 1));
    while (list.length < least) list.push(this.valueOf(Array.isArray(items) ? {} : items, depth + 1));
    return list;
  }

  #resolve(ref: string): JsonValue | undefined {
    if (ref === '#') return this.#root;
    if (!ref.startsWith('#/')) return undefined;
    let value: JsonValue | undefined = this.#root;
    for (const step of ref.slice(2).split('/')) {
      const name = decode(step).replaceAll('~1', '/').replaceAll('~0', '~');
      if (Array.isArray(value)) value = (value as readonly JsonValue[])[Number(name)];
      else value = isJsonObject(value) ? ownValue(value, name) : undefined;
    }
    return value;
  }
}

function typeOf(schema: JsonObject): string | undefined {
  const type = ownValue(schema, 'type');
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return (type as readonly string[]).find((name) => name !== 'null') ?? 'null';
  if (Object.hasOwn(schema, 'properties') || Object.hasOwn(schema, 'required')) return 'object';
  if (Object.hasOwn(schema, 'items') || Object.hasOwn(schema, 'prefixItems')) return 'array';
  if (Object.hasOwn(schema, 'pattern') || Object.hasOwn(schema, 'minLength')) return 'string';
  if (Object.hasOwn(schema, 'minimum') || Object.hasOwn(schema, 'maximum')) return 'number';
  return undefined;
}

const FORMAT_EXAMPLES = new Map([
  ['date-time', '2026-01-01T00:00:00Z'],
  ['date', '2026-01-01'],
  ['time', '00:00:00Z'],
  ['duration', 'PT1S'],
  ['email', 'someone@example.org'],
  ['hostname', 'example.org'],
  ['ipv4', '127.0.0.1'],
  ['ipv6', '::1'],
  ['uri', 'https://example.org/'],
  ['uri-reference', '/'],
  ['url', 'https://example.org/'],
  ['uuid', '00000000-0000-4000-8000-000000000000'],
  ['json-pointer', ''],
  ['regex', '.*'],
]);
const PLAIN_STRINGS = [
  'text',
  'example',
  'a',
  'A',
  '1',
  '0',
  'a1',
  'example.txt',
  '/',
  'a@example.org',
  '1.0.0',
];
const MAX_PATTERN_LENGTH = 100;

function string(schema: JsonObject): string {
  const format = ownValue(schema, 'format');
  const sample = typeof format === 'string' ? FORMAT_EXAMPLES.get(format) : undefined;
  if (sample !== undefined) return sample;
  const least = Math.min(Number(ownValue(schema, 'minLength') ?? 0), 1024);
  const most = Number(ownValue(schema, 'maxLength') ?? Infinity);
  const pattern = ownValue(schema, 'pattern');
  if (typeof pattern === 'string' && pattern.length <= MAX_PATTERN_LENGTH) {
    const regex = regExpFrom(pattern);
    const fitting = PLAIN_STRINGS.find(
      (text) => regex.test(text) && text.length >= least && text.length <= most,
    );
    if (fitting !== undefined) return fitting;
    return (PLAIN_STRINGS.find((text) => regex.test(text.padEnd(least, text))) ?? '').padEnd(least, 'x');
  }
  return least === 0 ? '' : 'text'.padEnd(least, 'text').slice(0, Math.max(least, Math.min(most, 4)));
}

function number(schema: JsonObject, integer: boolean): number {
  const value = (key: string): number | undefined => {
    const found = ownValue(schema, key);
    return typeof found === 'number' ? found : undefined;
  };
  const step = value('multipleOf') ?? 1;
  const above = value('exclusiveMinimum');
  const below = value('exclusiveMaximum');
  const least =
    value('minimum') ??
    (above === undefined ? undefined : integer ? Math.floor(above) + 1 : above + step / 2);
  const most =
    value('maximum') ?? (below === undefined ? undefined : integer ? Math.ceil(below) - 1 : below - step / 2);
  let chosen = 0;
  if (least !== undefined && least > 0) chosen = least;
  else if (most !== undefined && most < 0) chosen = most;
  if (schema['multipleOf'] === undefined) return integer ? Math.ceil(chosen) : chosen;
  return (chosen < 0 ? Math.floor(chosen / step) : Math.ceil(chosen / step)) * step;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A % that begins no escape stands for itself.
    return text;
  }
}
