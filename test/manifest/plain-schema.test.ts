import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { Ajv } from 'ajv';
import fc from '../support/properties.js';
import t from 'tap';
import type { JsonObject, JsonValue } from '../../lib/core/index.js';
import { MANIFEST_SCHEMA } from '../../lib/manifest/index.js';
import { plainCheckFrom } from '../../lib/manifest/plain-schema.js';
import { newAjv, type Dialect } from '../../lib/manifest/schema-dialect.js';

const top = resolve(import.meta.dirname, '../../..');

const names = fc.constantFrom('a', 'b', 'c', '__proto__', 'toString', 'é');
const scalars = fc.oneof(
  fc.constantFrom(null, true, false, 0, -0, 1, 2, 2.5, 0.07, 1e308, 'a', 'aa', '\ud83d\ude00', '\ud83d', ''),
  fc.constantFrom('2026-01-31', '2026-01-28', '2026-13-01', '2026-01-28T10:00:00Z', '2026-01-28T24:00:00Z'),
);

const objects = (values: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> =>
  // Parsed, as a request is: `__proto__` is a property like another.
  fc
    .array(fc.tuple(names, values), { maxLength: 4 })
    .map((entries) => JSON.parse(`{${textOf(entries)}}`) as Record<string, unknown>);

const textOf = (entries: readonly (readonly [string, unknown])[]): string =>
  [...new Map(entries)].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join();

const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    fc.array(tie('value'), { maxLength: 3 }),
    objects(tie('value')),
  ),
}));

/** Right and wrong values of a keyword, and of some keywords that are not plain. */
const { schema: schemas } = fc.letrec<{ schema: unknown }>((tie) => {
  const part = tie('schema');
  const limits = fc.constantFrom(0, 1, 2, 2, 3, 1.5, -1, '1');
  const keywords = {
    type: fc.oneof(
      fc.constantFrom('object', 'array', 'string', 'integer', 'number', 'boolean', 'null', 'any', 1),
      fc.array(fc.constantFrom('object', 'string', 'integer', 'null'), { maxLength: 3 }),
    ),
    enum: fc.oneof(fc.array(scalars, { maxLength: 3 }), values),
    const: values,
    minimum: limits,
    maximum: limits,
    exclusiveMinimum: limits,
    exclusiveMaximum: limits,
    multipleOf: fc.constantFrom(0, 0.01, 2, -1, '2'),
    minLength: limits,
    maxLength: limits,
    minItems: limits,
    maxItems: limits,
    pattern: fc.constantFrom('^a', 'é', '(', 'a{,', '\\-', 'x\\Z', '^.$', 1),
    format: fc.constantFrom('date', 'date-time', 'email', 'unheard-of', 1),
    uniqueItems: fc.constantFrom(true, false, 1),
    items: fc.oneof(part, fc.array(part, { maxLength: 2 })),
    required: fc.oneof(fc.array(names, { maxLength: 2 }), fc.constant('a')),
    properties: fc.oneof(objects(part), fc.constant([])),
    additionalProperties: part,
    propertyNames: part,
    allOf: fc.array(part, { maxLength: 2 }),
    anyOf: fc.array(part, { maxLength: 2 }),
    oneOf: fc.array(part, { maxLength: 3 }),
    not: part,
    if: part,
    then: part,
    else: part,
    title: fc.constantFrom('a', 1),
    examples: fc.constantFrom([1], 1),
    default: values,
    deprecated: fc.constantFrom(true, 1),
    nullable: fc.boolean(),
    $schema: fc.constantFrom('no uri at all', 'https://json-schema.org/draft/2020-12/schema'),
    patternProperties: fc.constant({ '^a': false }),
    'x-more': values,
  };
  const some = Object.entries(keywords).map(([name, value]) => value.map((made) => [name, made] as const));
  return {
    schema: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      { weight: 1, arbitrary: fc.boolean() },
      {
        weight: 6,
        arbitrary: fc
          .array(fc.oneof(...some), { minLength: 1, maxLength: 4 })
          .map((entries) => Object.fromEntries(entries)),
      },
    ),
  };
});

/** @throws where the schema cannot be used. */
function validatorOfAjv(ajv: Ajv, schema: JsonValue): (value: unknown) => boolean {
  if (ajv.validateSchema(schema as JsonObject) !== true) throw new Error(ajv.errorsText());
  const validate = ajv.compile(schema as JsonObject);
  if (typeof schema === 'object') ajv.removeSchema(schema as JsonObject);
  return validate;
}

for (const dialect of ['2020-12', 'draft-07'] satisfies Dialect[])
  t.test(`what a plain schema (${dialect}) says of a value is what ajv says`, (t) => {
    const ajv = newAjv(dialect, { allErrors: false, exact: false });
    const met = { plain: 0, true: 0, false: 0, undefined: 0 };
    fc.assert(
      fc.property(schemas, fc.array(values, { minLength: 3, maxLength: 3 }), (schema, tried) => {
        const json = JSON.parse(JSON.stringify(schema)) as JsonValue;
        // The root says its dialect elsewhere.
        if (typeof json === 'object') Reflect.deleteProperty(json as object, '$schema');
        const check = plainCheckFrom(json);
        if (check === undefined) return;
        met.plain++;
        const validate = validatorOfAjv(ajv, json);
        for (const each of tried) {
          const value: unknown = JSON.parse(JSON.stringify(each));
          const verdict = check(value);
          met[String(verdict) as 'true']++;
          if (verdict !== undefined && verdict !== validate(value))
            throw new Error(`${JSON.stringify(json)} of ${JSON.stringify(value)} is ${String(!verdict)}`);
        }
      }),
      { numRuns: 3000 },
    );
    t.comment(met);
    for (const [what, count] of Object.entries(met)) t.ok(count > 10, `${what}: ${count}`);
    t.end();
  });

t.test('bundled manifests are found right without ajv, and so are their templates', (t) => {
  const passes = plainCheckFrom(MANIFEST_SCHEMA as unknown as JsonObject)!;
  const folder = join(top, 'manifests/services');
  for (const name of readdirSync(folder)) {
    const manifest = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      schema?: { input?: JsonValue };
      invoke_template?: JsonValue;
    };
    t.equal(passes(manifest), true, name);
    const input = manifest.schema?.input;
    if (input === undefined || manifest.invoke_template === undefined) continue;
    t.equal(plainCheckFrom(input)?.(manifest.invoke_template), true, `${name}: template`);
  }
  t.end();
});

t.test('a manifest that the format refuses is never found right', (t) => {
  const passes = plainCheckFrom(MANIFEST_SCHEMA as unknown as JsonObject)!;
  const { default: Plain } = createRequire(import.meta.url)('ajv') as { default: typeof Ajv };
  const validate = new Plain({ strict: false, ownProperties: true, validateSchema: false }).compile(
    MANIFEST_SCHEMA,
  );
  const { properties } = MANIFEST_SCHEMA as unknown as { properties: JsonObject };
  const fields = fc.constantFrom(...Object.keys(properties));
  const runtimes = fc.record(
    {
      type: fc.constantFrom('native_proc', 'module', 'wasm', 'static', 'other', 1, null),
      executable_path: fc.oneof(fc.constantFrom('cat', 'a\0b', ''), values),
      args: fc.oneof(fc.constantFrom([], ['a'], ['a\0']), values),
      env: fc.oneof(fc.constantFrom({ A: 'b' }, { '1': 'b' }), values),
      timeout_ms: fc.oneof(fc.constantFrom(1, 0, 1.5, 2 ** 31), values),
      probe: fc.oneof(
        fc.constantFrom(null, { type: 'exec', command: ['x'] }, { type: 'exec', command: [] }),
        values,
      ),
      user: fc.oneof(fc.constantFrom('a', '-a', null), values),
    },
    { requiredKeys: [] },
  );
  let right = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fields, values), { maxLength: 2 }),
      runtimes,
      fc.boolean(),
      (more, runtime, has) => {
        const manifest: unknown = JSON.parse(
          JSON.stringify({
            service_id: 'a',
            kind: 'b',
            ...(has ? { runtime } : {}),
            ...Object.fromEntries(more),
          }),
        );
        const verdict = passes(manifest);
        if (verdict === true) right++;
        if (verdict !== undefined && verdict !== validate(manifest))
          throw new Error(`${JSON.stringify(manifest)} is ${String(!verdict)}`);
      },
    ),
    { numRuns: 4000 },
  );
  t.ok(right > 100, String(right));
  t.end();
});
