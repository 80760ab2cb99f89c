import type { Ajv, AnySchema, ValidateFunction } from 'ajv';
import {
  canonicalExactJson,
  dropOldest,
  FsError,
  hasInexactNumber,
  isInexact,
  isJsonObject,
  ownValue,
  type JsonObject,
  type JsonValue,
} from '../core/index.js';
import type { ServiceDefinition } from './definition.js';
import {
  allFaultsFrom,
  bestError,
  errorsOf,
  firstFaultFrom,
  inputFault,
  type InputFault,
} from './input-faults.js';
import { runWithin, TookTooLongError } from './run-within.js';
import { NUMERIC_KEYWORDS } from './exact-keywords.js';
import { plainCheckFrom } from './plain-schema.js';
import { dialectOf, newAjv, preparedSchema, type Dialect } from './schema-dialect.js';
import { placeOfFault, placeOfKey } from './schema-place.js';
import { expectedFromError, wordsFromValue } from './words.js';

/** Checks a parsed request; null when it passes. Total and bounded in time. */
export type InputValidator = (value: unknown) => InputFault | null;

/** How requests are checked by a schema. */
export interface CompiledInput {
  /** Whether the value passes, as far as that is known without ajv; takes as long as it takes. Undefined: it is never known. */
  readonly passesPlainly: ((value: unknown) => boolean) | undefined;
  /**
   * Makes what `unbounded` takes for a value, which may take a while. Never within a time limit: what is cut off while it
   * loads or compiles is broken for good.
   */
  readonly prepare: (value: unknown) => void;
  /** The check by ajv, which takes as long as it takes. */
  readonly unbounded: InputValidator;
  /** The check, stopped after `CHECK_MS`. */
  readonly validate: InputValidator;
  /** All that is wrong with a value that has this fault, as far as it is found in the time there is; else that fault alone. */
  readonly allOf: (value: unknown, fault: InputFault, withinMs: number | null) => readonly InputFault[];
  /** Whether its cost is a few steps for each part of a value. */
  readonly isCheap: boolean;
}

export const MAX_SCHEMA_BYTES = 64 * 1024;
const MAX_SCHEMA_DEPTH = 64;
const COMPILE_MS = 5_000;
const CHECK_MS = 1_000;
const CACHED_SCHEMAS = 256;

/** Most recently used last. Schemas are values: equal text, equal validator. */
const compiled = new Map<string, CompiledInput>();

/** The validator of a service's requests, from `schema.input`; one that accepts everything where there is none. */
export function inputValidatorOf(definition: ServiceDefinition): InputValidator {
  return compileInputSchema(inputSchemaOf(definition));
}

export function inputSchemaOf(definition: ServiceDefinition): JsonValue | undefined {
  return ownValue(definition.schema, 'input');
}

const ACCEPT: CompiledInput = {
  passesPlainly: () => true,
  prepare: () => undefined,
  unbounded: () => null,
  validate: () => null,
  allOf: (_value, fault) => [fault],
  isCheap: true,
};

/**
 * Compiles a JSON Schema, draft 2020-12 or draft-07 by its `$schema`. Nothing is fetched.
 * @throws FsError EINVAL when it is not a schema; `path` is the JSON Pointer into it.
 */
export function compileInputSchema(schema: JsonValue | undefined): InputValidator {
  return compiledInputFrom(schema).validate;
}

/** The same, with what is known of its cost. */
export function compiledInputFrom(schema: JsonValue | undefined): CompiledInput {
  if (schema === undefined || schema === true) return ACCEPT;
  const key = canonicalExactJson(schema);
  const known = compiled.get(key);
  if (known !== undefined) {
    compiled.delete(key);
    compiled.set(key, known);
    return known;
  }
  const validator = compile(schema, key.length);
  compiled.set(key, validator);
  dropOldest(compiled, CACHED_SCHEMAS);
  return validator;
}

function compile(schema: JsonValue, size: number): CompiledInput {
  if (size > MAX_SCHEMA_BYTES)
    throw refusal(`The schema is larger than ${MAX_SCHEMA_BYTES} bytes.`, 'Simplify it.');
  const traits = traitsOf(schema);
  if (traits.tooDeep)
    throw refusal(`The schema is nested more than ${MAX_SCHEMA_DEPTH} levels deep.`, 'Flatten it.');
  if (traits.keys.has('$async'))
    throw refusal('"$async" is not JSON Schema.', 'Remove it.', placeOfKey(schema, '$async'));
  const dialect = dialectOf(schema) ?? unsupported(schema);
  const prepared = preparedSchema(schema, dialect);
  const named = ['$id', '$anchor', '$dynamicAnchor', '$recursiveAnchor'].some((name) =>
    traits.keys.has(name),
  );
  const make = (wanted: Wanted, exact: boolean): ValidateFunction =>
    compileWith(dialect, { named, wanted, exact }, prepared);
  const allExact = hasInexactNumber(prepared);
  const needsExact = (value: unknown): boolean => allExact || (traits.judgesNumbers && isInexact(value));
  const plain = traits.large || allExact ? undefined : plainCheckFrom(prepared);
  let compiled = plain === undefined ? make('first', false) : undefined;
  let exact: ValidateFunction | undefined;
  const comparesValues = ['uniqueItems', 'const', 'enum'].some((name) => traits.keys.has(name));
  const passesPlainly =
    plain === undefined ? undefined : (value: unknown) => !needsExact(value) && plain(value) === true;
  const prepare = (value: unknown): void => {
    if (needsExact(value) || comparesValues) exact ??= make('first', true);
    if (!needsExact(value)) compiled ??= make('first', false);
  };
  const exactly = (value: unknown): InputFault | null => faultFrom((exact ??= make('first', true)), value);
  const unbounded = (value: unknown): InputFault | null => {
    if (needsExact(value)) return exactly(value);
    try {
      return faultFrom((compiled ??= make('first', false)), value);
    } catch (thrown) {
      // ajv compares objects by methods of theirs, which are data where a value has such a key.
      if (!(thrown instanceof TypeError)) throw thrown;
      return exactly(value);
    }
  };
  const within = bounded(unbounded);
  const allOf = { plain: everyFault(() => make('all', false)), exact: everyFault(() => make('all', true)) };
  return {
    passesPlainly,
    prepare,
    unbounded,
    validate: (value) => {
      if (passesPlainly !== undefined) {
        const passes = (): boolean => passesPlainly(value);
        if (traits.risky ? trueInTime(passes) : passes()) return null;
      }
      prepare(value);
      return within(value);
    },
    allOf: (value, ...rest) => allOf[needsExact(value) ? 'exact' : 'plain'](value, ...rest),
    isCheap: !traits.risky,
  };
}

/** Where a check stops. */
type Wanted = 'first' | 'all';

/** @throws FsError EINVAL, with the place in the schema */
function compileWith(
  dialect: Dialect,
  { named, wanted, exact }: { readonly named: boolean; readonly wanted: Wanted; readonly exact: boolean },
  schema: JsonValue,
): ValidateFunction {
  const kind = `${dialect} ${wanted} ${exact}`;
  const make = (): Ajv => newAjv(dialect, { allErrors: wanted === 'all', exact });
  const ajv = named ? make() : (shared.get(kind) ?? make());
  if (!named) shared.set(kind, ajv);
  try {
    return runWithin(COMPILE_MS, () => {
      if (wanted === 'first' && !exact) requireSchema(ajv, schema);
      return ajv.compile(schema as AnySchema);
    });
  } catch (thrown) {
    if (thrown instanceof TookTooLongError) shared.delete(kind);
    if (FsError.is(thrown)) throw thrown;
    const { path, hint } = placeOfFault(schema, thrown);
    throw refusal(sentenceFrom(thrown), hint, path, thrown);
  } finally {
    if (!named && isJsonObject(schema)) ajv.removeSchema(schema);
  }
}

function requireSchema(ajv: Ajv, schema: JsonValue): void {
  if (ajv.validateSchema(schema as AnySchema) === true) return;
  const error = bestError(errorsOf(ajv));
  throw refusal(
    `${error.instancePath || 'The schema'} is not JSON Schema: it must be ${expectedFromError(error)}; it is ${wordsFromValue(error.data)}.`,
    'See https://json-schema.org/understanding-json-schema for what the keyword takes.',
    error.instancePath,
  );
}

function unsupported(schema: JsonValue): never {
  throw refusal(
    `$schema names a dialect that is not supported: ${wordsFromValue((schema as JsonObject).$schema)}.`,
    'Use "https://json-schema.org/draft/2020-12/schema" or "http://json-schema.org/draft-07/schema#".',
    '/$schema',
  );
}

/** Found by a validator of its own, which is made when a value first fails: what passes pays nothing for it. */
function everyFault(make: () => ValidateFunction): CompiledInput['allOf'] {
  let made: ValidateFunction | undefined;
  return (value, fault, withinMs) => {
    try {
      const validate = (made ??= make());
      const all = (): InputFault[] => (validate(value) ? [fault] : allFaultsFrom(errorsOf(validate), value));
      return withinMs === null ? all() : runWithin(withinMs, all);
    } catch (thrown) {
      const kinds = [TookTooLongError, RangeError, TypeError];
      if (kinds.some((kind) => thrown instanceof kind)) return [fault];
      throw thrown;
    }
  };
}

function trueInTime(check: () => boolean): boolean {
  try {
    return runWithin(CHECK_MS, check);
  } catch (thrown) {
    if (thrown instanceof TookTooLongError) return false;
    throw thrown;
  }
}

function bounded(validate: InputValidator): InputValidator {
  return (value) => {
    try {
      return runWithin(CHECK_MS, () => validate(value));
    } catch (thrown) {
      if (thrown instanceof TookTooLongError) return tooCostly();
      throw thrown;
    }
  };
}

/** The fault of a value that cannot be checked in the time there is. */
export function tooCostly(): InputFault {
  return inputFault('', 'a value that can be checked in a second', 'one that takes longer');
}

function faultFrom(validate: ValidateFunction, value: unknown): InputFault | null {
  try {
    if (validate(value)) return null;
  } catch (thrown) {
    if (thrown instanceof RangeError)
      return inputFault('', 'a value that is not nested too deeply', 'one that is');
    throw thrown;
  }
  return firstFaultFrom(errorsOf(validate), value);
}

/** By dialect, by whether it stops at the first fault, and by how it judges numbers. */
const shared = new Map<string, Ajv>();

/** What can make the cost of a check explode with the value. */
const RISKY = [
  'pattern',
  'patternProperties',
  'format',
  'uniqueItems',
  'contains',
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  'unevaluatedProperties',
  'unevaluatedItems',
];
const MANY_NODES = 300;

interface Traits {
  readonly keys: ReadonlySet<string>;
  readonly tooDeep: boolean;
  readonly large: boolean;
  readonly risky: boolean;
  /** Whether an outcome can turn on what a double does not hold. */
  readonly judgesNumbers: boolean;
}

function traitsOf(schema: JsonValue): Traits {
  const keys = new Set<string>();
  let nodes = 0;
  let tooDeep = false;
  let hasIntegers = false as boolean;
  const visit = (value: JsonValue, depth: number): void => {
    nodes++;
    if (depth > MAX_SCHEMA_DEPTH) {
      tooDeep = true;
      return;
    }
    hasIntegers ||= value === 'integer';
    if (Array.isArray(value)) for (const item of value as readonly JsonValue[]) visit(item, depth + 1);
    else if (isJsonObject(value))
      for (const [key, item] of Object.entries(value)) {
        keys.add(key);
        visit(item, depth + 1);
      }
  };
  visit(schema, 0);
  const large = nodes > MANY_NODES;
  const has = (key: string): boolean => keys.has(key);
  return {
    ...{ keys, tooDeep, large, risky: large || RISKY.some(has) },
    judgesNumbers: hasIntegers || NUMERIC_KEYWORDS.some(has),
  };
}

function refusal(message: string, hint: string, path = '', cause?: unknown): FsError {
  return new FsError('EINVAL', message, { hint, path, cause });
}

function sentenceFrom(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : 'The schema cannot be compiled.';
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
