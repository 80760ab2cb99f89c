import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { OpenapiDocument } from './document.js';

/** Keywords that hold one schema, a list of them, or a map. */
const ONE = new Set([
  'items',
  'additionalProperties',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
  'unevaluatedProperties',
  'unevaluatedItems',
  'additionalItems',
]);
const LIST = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const MAP = new Set(['properties', 'patternProperties', 'dependentSchemas']);
/** What JSON Schema has no use for, or what would give the parts of a schema another base. */
const DROPPED = new Set([
  ...[
    'discriminator',
    'xml',
    'externalDocs',
    'example',
    'nullable',
    'readOnly',
    'writeOnly',
    '$schema',
    '$id',
    'id',
  ],
  ...['$anchor', '$dynamicAnchor', '$dynamicRef', '$vocabulary', 'definitions', '$defs', 'contentSchema'],
]);
const NUMBERS = [
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'multipleOf',
];

/**
 * Makes JSON Schema (2020-12) of the schemas of requests. What they refer to by name stands once in `defs`, so that
 * schemas which contain themselves need not be cut.
 */
export class SchemaMaker {
  readonly defs = new Map<string, JsonValue>();
  readonly #document: OpenapiDocument;
  readonly #names = new Map<string, string>();

  constructor(document: OpenapiDocument) {
    this.#document = document;
  }

  schemaOf(written: JsonValue | undefined): JsonValue {
    if (typeof written === 'boolean') return written;
    if (!isJsonObject(written)) return {};
    const ref = ownValue(written, '$ref');
    if (typeof ref === 'string') return this.#referenceTo(ref, written);
    return this.#converted(written);
  }

  /** The schema that a value is or refers to, as it was written. */
  resolved(written: JsonValue | undefined): JsonObject {
    return this.#document.object(written);
  }

  #referenceTo(ref: string, { description }: JsonObject): JsonValue {
    const target = this.#document.at(ref);
    if (target === undefined) return {};
    let name = this.#names.get(ref);
    if (name === undefined) {
      name = this.#freeName(ref);
      this.#names.set(ref, name);
      this.defs.set(name, {});
      this.defs.set(name, this.schemaOf(target));
    }
    const $ref = `#/$defs/${name}`;
    return typeof description === 'string' && !this.#document.isOld ? { $ref, description } : { $ref };
  }

  #freeName(ref: string): string {
    const last = (ref.split('/').at(-1) ?? '').replace(/[^A-Za-z0-9_.-]/g, '_');
    const base = last === '' ? 'schema' : last;
    for (let n = 1; ; n++) {
      const name = n === 1 ? base : `${base}-${n}`;
      if (!this.defs.has(name)) return name;
    }
  }

  #converted(written: JsonObject): JsonValue {
    const made: Record<string, JsonValue> = {};
    for (const [keyword, value] of Object.entries(written)) {
      if (keyword.startsWith('x-') || DROPPED.has(keyword)) continue;
      const converted = this.#keyword(keyword, value);
      if (converted !== undefined) made[keyword] = converted;
    }
    this.#requestOnly(written, made);
    exclusiveBounds(made);
    const example = ownValue(written, 'example');
    if (example !== undefined && made['examples'] === undefined) made['examples'] = [example];
    return ownValue(written, 'nullable') === true ? orNull(made) : made;
  }

  #keyword(keyword: string, value: JsonValue): JsonValue | undefined {
    if (ONE.has(keyword)) {
      // Lists of items are of earlier drafts.
      if (keyword === 'items' && Array.isArray(value)) return undefined;
      return this.schemaOf(value);
    }
    if (LIST.has(keyword)) {
      const list = this.#document.list(value);
      return list.length === 0 ? undefined : list.map((item) => this.schemaOf(item));
    }
    if (MAP.has(keyword)) {
      if (!isJsonObject(value)) return undefined;
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.schemaOf(item)]));
    }
    switch (keyword) {
      case 'type':
        return typeof value === 'string' || isTexts(value) ? value : undefined;
      case 'required':
        return isTexts(value) ? [...new Set(value)] : undefined;
      case 'enum':
        return Array.isArray(value) && value.length > 0 ? distinct(value as readonly JsonValue[]) : undefined;
      case 'title':
      case 'description':
      case 'format':
      case 'pattern':
        return typeof value === 'string' ? value : undefined;
      case 'examples':
        return Array.isArray(value) ? value : undefined;
      case 'exclusiveMinimum':
      case 'exclusiveMaximum':
        return typeof value === 'number' || value === true ? value : undefined;
      default:
        return NUMBERS.includes(keyword) && typeof value !== 'number' ? undefined : value;
    }
  }

  /** What a server alone may set is no part of a request. */
  #requestOnly(written: JsonObject, made: Record<string, JsonValue>): void {
    const { properties } = written;
    if (!isJsonObject(properties) || !isJsonObject(made['properties'])) return;
    const isReadOnly = (name: string): boolean =>
      ownValue(this.#document.object(ownValue(properties, name)), 'readOnly') === true;
    const hidden = new Set(Object.keys(properties).filter(isReadOnly));
    if (hidden.size === 0) return;
    made['properties'] = Object.fromEntries(
      Object.entries(made['properties']).filter(([name]) => !hidden.has(name)),
    );
    const required = made['required'];
    if (isTexts(required)) made['required'] = required.filter((name) => !hidden.has(name));
  }
}

/** In OpenAPI 3.0 they are switches beside `minimum` and `maximum`. */
function exclusiveBounds(made: Record<string, JsonValue>): void {
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (made[exclusive] !== true) continue;
    const limit = made[bound];
    if (limit === undefined) Reflect.deleteProperty(made, exclusive);
    else {
      made[exclusive] = limit;
      Reflect.deleteProperty(made, bound);
    }
  }
}

function orNull(made: Record<string, JsonValue>): JsonValue {
  const { type, enum: values } = made;
  if (type === undefined) return Object.keys(made).length === 0 ? {} : { anyOf: [made, { type: 'null' }] };
  const types = Array.isArray(type) ? (type as readonly JsonValue[]) : [type];
  return {
    ...made,
    type: types.includes('null') ? type : [...types, 'null'],
    ...(Array.isArray(values) && !values.includes(null)
      ? { enum: [...(values as readonly JsonValue[]), null] }
      : {}),
  };
}

function isTexts(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function distinct(values: readonly JsonValue[]): JsonValue[] {
  const seen = new Set<string>();
  return values.filter((value) => {
    const text = JSON.stringify(value);
    return !seen.has(text) && seen.add(text);
  });
}
