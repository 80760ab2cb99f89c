import { createRequire } from 'node:module';
import type { Ajv, FuncKeywordDefinition } from 'ajv';
import { copyWritten, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { addExactKeywords } from './exact-keywords.js';
import { isMultipleOf } from './multiple-of.js';

export type Dialect = '2020-12' | 'draft-07';

/** How ajv knows the dialects. */
const URI: Record<Dialect, string> = {
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
  'draft-07': 'http://json-schema.org/draft-07/schema#',
};

/** The dialect that `$schema` names; undefined for one that is not supported. */
export function dialectOf(schema: JsonValue): Dialect | undefined {
  const named = isJsonObject(schema) ? ownValue(schema, '$schema') : undefined;
  if (named === undefined) return '2020-12';
  const plain = (uri: unknown): string =>
    String(uri)
      .replace(/#$/, '')
      .replace(/^https:/, 'http:');
  if (typeof named !== 'string') return undefined;
  return (Object.keys(URI) as Dialect[]).find((dialect) => plain(URI[dialect]) === plain(named));
}

/**
 * The schema as its draft means it, in the words that ajv takes: the dialect by the name that ajv knows, and
 * `nullable`, which no draft has, only where it stands beside a type.
 */
export function preparedSchema(schema: JsonValue, dialect: Dialect): JsonValue {
  const prepared = withoutLoneNullable(schema);
  return isJsonObject(prepared) && Object.hasOwn(prepared, '$schema')
    ? copyWritten(prepared, { ...prepared, $schema: URI[dialect] })
    : prepared;
}

/** Keywords whose value is data, and those whose value has a schema for each name. */
const DATA = new Set(['const', 'enum', 'default', 'examples', 'example']);
const MAPS = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
]);

function withoutLoneNullable(schema: JsonValue): JsonValue {
  if (Array.isArray(schema))
    return copyWritten(schema, (schema as readonly JsonValue[]).map(withoutLoneNullable));
  if (!isJsonObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([key]) => key !== 'nullable' || Object.hasOwn(schema, 'type'));
  return copyWritten(
    schema,
    fromEntries(
      kept.map(([key, value]) => {
        if (DATA.has(key)) return [key, value];
        if (!MAPS.has(key) || !isJsonObject(value)) return [key, withoutLoneNullable(value)];
        return [
          key,
          fromEntries(Object.entries(value).map(([name, part]) => [name, withoutLoneNullable(part)])),
        ];
      }),
    ),
  );
}

/** `__proto__` is a name like any other. */
function fromEntries(entries: readonly (readonly [string, JsonValue])[]): JsonObject {
  return Object.fromEntries(entries);
}

const require = createRequire(import.meta.url);

/** ajv takes a while to load and to compile the meta-schema: a node without schemas never pays for it. */
export function newAjv(
  dialect: Dialect,
  { allErrors, exact }: { readonly allErrors: boolean; readonly exact: boolean },
): Ajv {
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
    ignoreKeywordsWithRef: dialect === 'draft-07',
    code: { regExp: Object.assign(regExpFrom, { code: 'new RegExp' }) },
    allErrors,
    // What is judged exactly was judged as a schema before.
    validateSchema: !exact,
  });
  formats.default(ajv);
  if (exact) addExactKeywords(ajv);
  else {
    ajv.removeKeyword('multipleOf');
    ajv.addKeyword(MULTIPLE_OF);
  }
  return ajv;
}

/** By code points as the drafts say; escapes that are only letters by habit (`\\-`, `\\_`) are taken too. */
export function regExpFrom(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    // Some patterns are valid without the `u` flag alone.
    return new RegExp(pattern);
  }
}

const MULTIPLE_OF: FuncKeywordDefinition = {
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  compile: (divisor: number) => (value: number) => isMultipleOf(value, divisor),
};
