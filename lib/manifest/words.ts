import type { ErrorObject } from 'ajv';
import { ID_PATTERN, writtenNumber, nearest } from '../core/index.js';

/** A value as a message shows it: short, on one line. */
export function wordsFromValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value) && value.length > 0) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 81)) : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 76)}…"` : text;
}

/** The number that `container` has under `key`, as it was written. */
export function wordsFromNumber(value: unknown, container: unknown, key: string | number): string {
  const text = writtenNumber(container, key) ?? wordsFromValue(value);
  return text.length > 80 ? `${text.slice(0, 76)}…` : text;
}

/** The kind of a value alone, where the value itself must not be shown. */
export function kindOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return KIND_WORDS.get(typeof value) ?? 'nothing';
}

const KIND_WORDS = new Map([
  ['string', 'a string'],
  ['number', 'a number'],
  ['integer', 'an integer'],
  ['boolean', 'true or false'],
  ['object', 'an object'],
  ['array', 'an array'],
  ['null', 'null'],
]);

/** Patterns of the manifest format, in words. */
const PATTERN_WORDS = new Map([
  [ID_PATTERN.source, '1 to 128 of the characters A-Z a-z 0-9 . _ - (not "." or "..")'],
  ['^(?:[A-Za-z0-9._-]|\\{node_id\\}){1,128}$', '1 to 128 of the characters A-Z a-z 0-9 . _ -'],
  ['^[A-Za-z_][A-Za-z0-9_]*$', 'a name of letters, digits and _'],
  ['^[^\\u0000]*$', 'a string without NUL'],
  ['^[^\\u0000]+$', 'a string that is not empty and has no NUL'],
]);

interface SchemaLike {
  type?: string | string[];
  minimum?: number;
  maximum?: number;
  properties?: object;
}

/** What a schema asked for where ajv found something else. */
export function expectedFromError(error: ErrorObject): string {
  const { keyword } = error;
  const params = error.params as Record<string, unknown>;
  const schema = (error.parentSchema ?? {}) as SchemaLike;
  switch (keyword) {
    case 'type':
      return typeWords(params['type'] as string | string[], schema);
    case 'enum':
      return oneOfWords(params['allowedValues'] as unknown[]);
    case 'const':
      return wordsFromNumber(params['allowedValue'], schema, keyword);
    case 'required':
    case 'dependentRequired':
    case 'dependencies':
      return `a property ${JSON.stringify(params['missingProperty'])}`;
    case 'additionalProperties':
      return unknownWords(String(params['additionalProperty']), schema);
    case 'unevaluatedProperties':
      return unknownWords(String(params['unevaluatedProperty']), schema);
    case 'propertyNames':
      return `no property of the name ${JSON.stringify(params['propertyName'])}`;
    case 'pattern':
      return (
        PATTERN_WORDS.get(String(params['pattern'])) ?? `a string that matches ${String(params['pattern'])}`
      );
    case 'format':
      return `a string of the format ${String(params['format'])}`;
    case 'minimum':
    case 'maximum':
      if (schema.minimum !== undefined && schema.maximum !== undefined) return rangeWords(schema);
      return limitWords();
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return limitWords();
    case 'multipleOf':
      return `a multiple of ${wordsFromNumber(error.schema, schema, keyword)}`;
    case 'minLength':
      return `a string of at least ${count(params['limit'], 'character')}`;
    case 'maxLength':
      return `a string of at most ${count(params['limit'], 'character')}`;
    case 'minItems':
      return `an array of at least ${count(params['limit'], 'item')}`;
    case 'maxItems':
    case 'additionalItems':
    case 'items':
      return `an array of at most ${count(params['limit'], 'item')}`;
    case 'minProperties':
      return `an object of at least ${count(params['limit'], 'property')}`;
    case 'maxProperties':
      return `an object of at most ${count(params['limit'], 'property')}`;
    case 'uniqueItems':
      return 'an array without equal items';
    case 'contains':
      return 'an array with an item that matches "contains"';
    case 'not':
      return 'a value that does not match "not"';
    case 'false schema':
      return 'nothing here';
    default:
      return error.message ?? `a value that satisfies "${keyword}"`;
  }

  function limitWords(): string {
    return `a number ${String(params['comparison'])} ${wordsFromNumber(params['limit'], schema, keyword)}`;
  }
}

/** A name that the schema does not know, and the one that was meant perhaps. */
function unknownWords(name: string, { properties = {} }: SchemaLike): string {
  const near = nearest(name, Object.keys(properties));
  return `no property ${JSON.stringify(name)}${near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`}`;
}

function typeWords(type: string | string[], schema: SchemaLike): string {
  const types = Array.isArray(type) ? type : [type];
  return types
    .map((name) =>
      name === 'integer' && schema.minimum !== undefined && schema.maximum !== undefined
        ? rangeWords(schema)
        : (KIND_WORDS.get(name) ?? name),
    )
    .join(' or ');
}

function rangeWords(schema: SchemaLike): string {
  const kind = [schema.type].flat().includes('integer') ? 'an integer' : 'a number';
  const [from, to] = [
    wordsFromNumber(schema.minimum, schema, 'minimum'),
    wordsFromNumber(schema.maximum, schema, 'maximum'),
  ];
  return `${kind} from ${from} to ${to}`;
}

function oneOfWords(values: readonly unknown[]): string {
  const words = values.slice(0, 12).map((value, at) => writtenNumber(values, at) ?? JSON.stringify(value));
  return `${words.length > 1 ? 'one of ' : ''}${words.join(', ')}${values.length > 12 ? ', …' : ''}`;
}

function count(limit: unknown, thing: string): string {
  if (limit === 1) return `1 ${thing}`;
  return `${String(limit)} ${thing === 'property' ? 'properties' : `${thing}s`}`;
}
