import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { isMultipleOf } from './multiple-of.js';

/** What is known of a value without ajv: whether the schema takes it, or undefined where ajv has to say. */
export type PlainCheck = (value: unknown) => boolean | undefined;

/**
 * Checks values by `schema`, where that is made of the common keywords of draft-07 and 2020-12 alone, each with a
 * value as the drafts want it: a schema that ajv would compile, and that needs none of it for values that pass.
 * Undefined for every other schema, also a wrong one. What it says is what ajv says, with `ownProperties`.
 */
export function plainCheckFrom(schema: JsonValue): PlainCheck | undefined {
  if (typeof schema === 'boolean') return () => schema;
  if (!isJsonObject(schema)) return undefined;
  const checks: PlainCheck[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (NOTES.get(keyword)?.(value, schema) === true) continue;
    const check = KEYWORDS.get(keyword)?.(value, schema);
    if (check === undefined) return undefined;
    checks.push(check);
  }
  return all(checks);
}

/** Keywords that refuse nothing, and what their values must be. */
const NOTES: ReadonlyMap<string, (value: JsonValue, schema: JsonObject) => boolean> = new Map([
  ...['$comment', 'title', 'description'].map((name) => [name, isString] as const),
  ...['readOnly', 'writeOnly', 'deprecated'].map((name) => [name, isBoolean] as const),
  ['$schema', (value) => typeof value === 'string' && /^https?:\/\/json-schema\.org\/[\w/-]+#?$/.test(value)],
  ['default', () => true],
  ['examples', isList],
  // `if` looks at them itself.
  ...['then', 'else'].map((name) => [name, besideIf] as const),
]);

function besideIf(_value: JsonValue, schema: JsonObject): boolean {
  return Object.hasOwn(schema, 'if');
}

type Keyword = (value: JsonValue, schema: JsonObject) => PlainCheck | undefined;

const KEYWORDS: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ['type', typeCheck],
  ['enum', enumCheck],
  ['const', (value) => (isScalar(value) ? among([value]) : undefined)],
  ['minimum', bound((value, least) => value >= least)],
  ['maximum', bound((value, most) => value <= most)],
  ['exclusiveMinimum', bound((value, below) => value > below)],
  ['exclusiveMaximum', bound((value, above) => value < above)],
  [
    'multipleOf',
    (value) => (isNumber(value) && value > 0 ? ofNumbers((n) => isMultipleOf(n, value)) : undefined),
  ],
  ['minLength', length(ofStrings, (text, least) => codePoints(text) >= least)],
  ['maxLength', length(ofStrings, (text, most) => codePoints(text) <= most)],
  ['minItems', length(ofLists, (items, least) => items.length >= least)],
  ['maxItems', length(ofLists, (items, most) => items.length <= most)],
  ['pattern', patternCheck],
  ['format', (value) => (isString(value) ? ofStrings(formatCheck(value as string)) : undefined)],
  [
    'uniqueItems',
    (value) => (value === true ? ofLists(areUnique) : value === false ? () => true : undefined),
  ],
  ['items', (value) => mapped(value, (item) => ofLists((items) => every(items, item)))],
  ['required', requiredCheck],
  ['properties', propertiesCheck],
  ['additionalProperties', additionalCheck],
  ['propertyNames', (value) => mapped(value, (name) => ofObjects((o) => every(Object.keys(o), name)))],
  ['allOf', (value) => parts(value, all)],
  ['anyOf', (value) => parts(value, any)],
  ['oneOf', (value) => parts(value, one)],
  ['not', (value) => mapped(value, (check) => (tried) => negated(check(tried)))],
  ['if', ifCheck],
]);

function typeCheck(value: JsonValue): PlainCheck | undefined {
  const names = isList(value) ? value : [value];
  if (names.length === 0 || new Set(names).size < names.length) return undefined;
  const tests = names.flatMap((name) => TYPES.get(name) ?? []);
  if (tests.length < names.length) return undefined;
  return (tried) => tests.some((test) => test(tried));
}

const TYPES: ReadonlyMap<unknown, (value: unknown) => boolean> = new Map<
  unknown,
  (value: unknown) => boolean
>([
  ['object', isObject],
  ['array', isList],
  ['string', isString],
  ['boolean', isBoolean],
  ['number', isNumber],
  ['integer', (value) => isNumber(value) && Number.isInteger(value)],
  ['null', (value) => value === null],
]);

function enumCheck(value: JsonValue): PlainCheck | undefined {
  if (!isList(value) || value.length === 0 || !value.every(isScalar)) return undefined;
  return new Set(value).size === value.length ? among(value) : undefined;
}

function among(values: readonly JsonValue[]): PlainCheck {
  const known = new Set(values);
  return (tried) => known.has(tried as JsonValue);
}

function bound(holds: (value: number, limit: number) => boolean): Keyword {
  return (limit) => (isNumber(limit) ? ofNumbers((value) => holds(value, limit)) : undefined);
}

function length<Value>(
  of: (test: (value: Value) => boolean) => PlainCheck,
  holds: (value: Value, limit: number) => boolean,
): Keyword {
  return (limit) =>
    isNumber(limit) && Number.isInteger(limit) && limit >= 0 ? of((value) => holds(value, limit)) : undefined;
}

function patternCheck(value: JsonValue): PlainCheck | undefined {
  if (typeof value !== 'string' || value.includes('\\Z')) return undefined;
  try {
    // The drafts want it to be one with `u` and, as a `format`, without.
    new RegExp(value);
    const pattern = new RegExp(value, 'u');
    return ofStrings((text) => pattern.test(text));
  } catch {
    // What cannot be compiled here is left to ajv, which says why.
    return undefined;
  }
}

/** What has this form is sure to be of the format. */
const FORMS: ReadonlyMap<string, RegExp> = new Map([
  ['date', /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$/],
  ['date-time', /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z$/],
]);

function formatCheck(format: string): (text: string) => boolean | undefined {
  const form = FORMS.get(format);
  return (text) => (form?.test(text) === true ? true : undefined);
}

function areUnique(items: readonly unknown[]): boolean | undefined {
  return items.every(isScalar) ? new Set(items).size === items.length : undefined;
}

function requiredCheck(value: JsonValue): PlainCheck | undefined {
  if (!isList(value) || !value.every(isString) || new Set(value).size < value.length) return undefined;
  return ofObjects((tried) => value.every((name) => Object.hasOwn(tried, name as string)));
}

function propertiesCheck(value: JsonValue): PlainCheck | undefined {
  if (!isJsonObject(value) || Object.hasOwn(value, '__proto__')) return undefined;
  const checks: [string, PlainCheck][] = [];
  for (const [name, part] of Object.entries(value)) {
    const check = plainCheckFrom(part);
    if (check === undefined) return undefined;
    checks.push([name, check]);
  }
  return ofObjects((tried) => {
    let verdict: boolean | undefined = true;
    for (const [name, check] of checks) {
      const found = Object.hasOwn(tried, name) ? check(tried[name]) : true;
      if (found === false) return false;
      if (found === undefined) verdict = undefined;
    }
    return verdict;
  });
}

function additionalCheck(value: JsonValue, schema: JsonObject): PlainCheck | undefined {
  const properties = ownValue(schema, 'properties');
  const named = new Set(isJsonObject(properties) ? Object.keys(properties) : []);
  return mapped(value, (check) =>
    ofObjects((tried) => {
      const others = Object.keys(tried).filter((name) => !named.has(name));
      return every(
        others.map((name) => tried[name]),
        check,
      );
    }),
  );
}

function ifCheck(value: JsonValue, schema: JsonObject): PlainCheck | undefined {
  const branches = ['then', 'else'].map((name) => ownValue(schema, name) ?? true);
  const [condition, then, otherwise] = [value, ...branches].map(plainCheckFrom);
  if (condition === undefined || then === undefined || otherwise === undefined) return undefined;
  return (tried) => {
    const holds = condition(tried);
    return holds === undefined ? undefined : (holds ? then : otherwise)(tried);
  };
}

function mapped(value: JsonValue, make: (check: PlainCheck) => PlainCheck): PlainCheck | undefined {
  const check = plainCheckFrom(value);
  return check === undefined ? undefined : make(check);
}

function parts(
  value: JsonValue,
  join: (checks: readonly PlainCheck[]) => PlainCheck,
): PlainCheck | undefined {
  if (!isList(value) || value.length === 0) return undefined;
  const checks = value.map(plainCheckFrom);
  return checks.includes(undefined) ? undefined : join(checks as PlainCheck[]);
}

/** False where one says so, whatever is not known of others. */
function all(checks: readonly PlainCheck[]): PlainCheck {
  return (tried) => {
    let verdict: boolean | undefined = true;
    for (const check of checks) {
      const found = check(tried);
      if (found === false) return false;
      if (found === undefined) verdict = undefined;
    }
    return verdict;
  };
}

function every(values: readonly unknown[], check: PlainCheck): boolean | undefined {
  let verdict: boolean | undefined = true;
  for (const value of values) {
    const found = check(value);
    if (found === false) return false;
    if (found === undefined) verdict = undefined;
  }
  return verdict;
}

const negated = (verdict: boolean | undefined): boolean | undefined =>
  verdict === undefined ? undefined : !verdict;

function any(checks: readonly PlainCheck[]): PlainCheck {
  const none = all(checks.map((check) => (tried) => negated(check(tried))));
  return (tried) => negated(none(tried));
}

function one(checks: readonly PlainCheck[]): PlainCheck {
  return (tried) => {
    const verdicts = checks.map((check) => check(tried));
    const passed = verdicts.filter((verdict) => verdict === true).length;
    if (passed > 1) return false;
    return verdicts.includes(undefined) ? undefined : passed === 1;
  };
}

type Test<Value> = (value: Value) => boolean | undefined;

/** A keyword says nothing of values of another type. */
function ofNumbers(test: Test<number>): PlainCheck {
  return (tried) => (isNumber(tried) ? test(tried) : typeof tried === 'number' ? undefined : true);
}

function ofStrings(test: Test<string>): PlainCheck {
  return (tried) => (typeof tried === 'string' ? test(tried) : true);
}

function ofLists(test: Test<readonly unknown[]>): PlainCheck {
  return (tried) => (isList(tried) ? test(tried) : true);
}

function ofObjects(test: Test<Readonly<Record<string, unknown>>>): PlainCheck {
  return (tried) => (isObject(tried) ? test(tried) : true);
}

function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at + 1 < text.length; at++)
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) {
      count--;
      at++;
    }
  return count;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

/** JSON holds 1e999, which is no number that a schema could take. */
function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isScalar(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'number') || isNumber(value);
}
