import { createRequire } from 'node:module';
import type { Ajv, AnySchema, ErrorObject, ValidateFunction } from 'ajv';
import { canonicalJson, FsError, isJsonObject, ownValue, type JsonValue } from '../core/index.js';
import type { ServiceDefinition } from './definition.js';
import { runWithin, TookTooLongError } from './run-within.js';
import { expectedFromError, wordsFromValue } from './words.js';

/** The first thing that is wrong with a value, by its schema. */
export interface InputFault {
  /** JSON Pointer into the value; empty for the whole. */
  readonly pointer: string;
  readonly expected: string;
  readonly got: string;
  /** The three as one sentence. */
  readonly message: string;
}

/** Checks a parsed request; null when it passes. Total and bounded in time. */
export type InputValidator = (value: unknown) => InputFault | null;

/** How requests are checked by a schema. */
export interface CompiledInput {
  /** The same check, which takes as long as it takes. */
  readonly unbounded: InputValidator;
  /** The check, stopped after `CHECK_MS`. */
  readonly validate: InputValidator;
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

const ACCEPT: CompiledInput = { unbounded: () => null, validate: () => null, isCheap: true };

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
  const key = canonicalJson(schema);
  const known = compiled.get(key);
  if (known !== undefined) {
    compiled.delete(key);
    compiled.set(key, known);
    return known;
  }
  const validator = compile(schema, key.length);
  compiled.set(key, validator);
  if (compiled.size > CACHED_SCHEMAS) compiled.delete(compiled.keys().next().value!);
  return validator;
}

function compile(schema: JsonValue, size: number): CompiledInput {
  if (size > MAX_SCHEMA_BYTES)
    throw refusal(`The schema is larger than ${MAX_SCHEMA_BYTES} bytes.`, 'Simplify it.');
  const traits = traitsOf(schema);
  if (traits.tooDeep)
    throw refusal(`The schema is nested more than ${MAX_SCHEMA_DEPTH} levels deep.`, 'Flatten it.');
  if (traits.keys.has('$async')) throw refusal('"$async" is not JSON Schema.', 'Remove it.');
  const dialect = dialectOf(schema);
  const named = ['$id', '$anchor', '$dynamicAnchor', '$recursiveAnchor'].some((name) =>
    traits.keys.has(name),
  );
  const ajv = named ? newAjv(dialect) : (shared.get(dialect) ?? shareAjv(dialect));
  let validate: ValidateFunction;
  try {
    validate = runWithin(COMPILE_MS, () => {
      if (ajv.validateSchema(schema as AnySchema) !== true) {
        const error = bestError(ajv.errors!);
        const got = wordsFromValue(error.data);
        const expected = expectedFromError(error);
        throw refusal(
          `${error.instancePath || 'The schema'} is not JSON Schema: it must be ${expected}; it is ${got}.`,
          'See https://json-schema.org/understanding-json-schema for what the keyword takes.',
          error.instancePath,
        );
      }
      return ajv.compile(schema as AnySchema);
    });
  } catch (thrown) {
    if (thrown instanceof TookTooLongError) shared.delete(dialect);
    if (FsError.is(thrown)) throw thrown;
    throw refusal(
      sentenceFrom(thrown),
      'Only references within the schema itself ("#/$defs/…") are followed.',
      '',
      thrown,
    );
  } finally {
    if (!named && isJsonObject(schema)) ajv.removeSchema(schema);
  }
  const unbounded = (value: unknown): InputFault | null => faultFrom(validate, value);
  return { unbounded, validate: bounded(unbounded), isCheap: !traits.risky };
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
  const error = bestError(validate.errors!);
  const expected = expectedFromError(error);
  if (error.keyword === 'required' || error.keyword === 'dependentRequired')
    return inputFault(error.instancePath, expected, 'none');
  return inputFault(error.instancePath, expected, wordsFromValue(error.data));
}

function inputFault(pointer: string, expected: string, got: string): InputFault {
  return {
    pointer,
    expected,
    got,
    message: `${pointer || 'The request'}: expected ${expected}, got ${got}.`,
  };
}

/** Of the alternatives of an anyOf or oneOf, the error that came furthest; else the first. */
function bestError(errors: readonly ErrorObject[]): ErrorObject {
  const last = errors.at(-1)!;
  if (last.keyword !== 'anyOf' && last.keyword !== 'oneOf') return errors[0]!;
  const branches = errors.slice(0, -1).filter((error) => error.keyword !== 'if');
  const deepest = branches.reduce((best, error) => (depthOf(error) > depthOf(best) ? error : best), last);
  if (deepest !== last) return deepest;
  const wanted = new Set(branches.map(expectedFromError));
  if (wanted.size === 0 || wanted.size > 4) return last;
  return { ...last, message: [...wanted].join(', or ') };
}

function depthOf(error: ErrorObject): number {
  return error.instancePath.split('/').length;
}

type Dialect = '2020-12' | 'draft-07';

function dialectOf(schema: JsonValue): Dialect {
  const named = isJsonObject(schema) ? ownValue(schema, '$schema') : undefined;
  if (named === undefined) return '2020-12';
  const uri = typeof named === 'string' ? named.replace(/#$/, '').replace(/^https:/, 'http:') : '';
  if (uri === 'http://json-schema.org/draft/2020-12/schema') return '2020-12';
  if (uri === 'http://json-schema.org/draft-07/schema') return 'draft-07';
  throw refusal(
    `$schema names a dialect that is not supported: ${wordsFromValue(named)}.`,
    'Use "https://json-schema.org/draft/2020-12/schema" or "http://json-schema.org/draft-07/schema#".',
    '/$schema',
  );
}

const shared = new Map<Dialect, Ajv>();
const require = createRequire(import.meta.url);

/** ajv takes a while to load and to compile the meta-schema: a node without schemas never pays for it. */
function newAjv(dialect: Dialect): Ajv {
  const module = (dialect === '2020-12' ? require('ajv/dist/2020') : require('ajv')) as {
    default: typeof Ajv;
  };
  const formats = require('ajv-formats') as { default: (ajv: Ajv) => void };
  const ajv = new module.default({
    strict: false,
    verbose: true,
    logger: false,
    ownProperties: true,
    inlineRefs: false,
  });
  formats.default(ajv);
  return ajv;
}

function shareAjv(dialect: Dialect): Ajv {
  const ajv = newAjv(dialect);
  shared.set(dialect, ajv);
  return ajv;
}

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

function traitsOf(schema: JsonValue): { keys: Set<string>; tooDeep: boolean; risky: boolean } {
  const keys = new Set<string>();
  let nodes = 0;
  let tooDeep = false;
  const visit = (value: JsonValue, depth: number): void => {
    nodes++;
    if (depth > MAX_SCHEMA_DEPTH) {
      tooDeep = true;
      return;
    }
    if (Array.isArray(value)) for (const item of value as readonly JsonValue[]) visit(item, depth + 1);
    else if (isJsonObject(value))
      for (const [key, item] of Object.entries(value)) {
        keys.add(key);
        visit(item, depth + 1);
      }
  };
  visit(schema, 0);
  return { keys, tooDeep, risky: nodes > MANY_NODES || RISKY.some((key) => keys.has(key)) };
}

function refusal(message: string, hint: string, path = '', cause?: unknown): FsError {
  return new FsError('EINVAL', message, { hint, path, cause });
}

function sentenceFrom(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : 'The schema cannot be compiled.';
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
