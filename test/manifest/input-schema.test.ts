import t from 'tap';
import { FsError, type JsonObject, type JsonValue } from '../../lib/core/index.js';
import { compileInputSchema, MAX_SCHEMA_BYTES, templateFromSchema } from '../../lib/manifest/index.js';

t.test('a request that fails is answered with the pointer, what was expected and what was got', async (t) => {
  const check = compileInputSchema({
    type: 'object',
    required: ['name'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', minLength: 2 },
      'a/b~c': { type: 'array', items: { type: 'integer', minimum: 1, maximum: 9 } },
      mode: { enum: ['fast', 'slow'] },
      when: { type: 'string', format: 'date' },
      either: { anyOf: [{ type: 'string' }, { type: 'object', properties: { x: { type: 'number' } } }] },
    },
  });
  const cases: [JsonValue, string, string, string][] = [
    [{}, '', 'a property "name"', 'none'],
    [{ name: 5 }, '/name', 'a string', '5'],
    [{ name: 'x' }, '/name', 'a string of at least 2 characters', '"x"'],
    [{ name: 'xx', other: 1 }, '', 'no property "other"', 'an object'],
    [{ name: 'xx', 'a/b~c': [1, 10] }, '/a~1b~0c/1', 'an integer from 1 to 9', '10'],
    [{ name: 'xx', mode: 'other' }, '/mode', 'one of "fast", "slow"', '"other"'],
    [{ name: 'xx', when: 'today' }, '/when', 'a string of the format date', '"today"'],
    [{ name: 'xx', either: 5 }, '/either', 'a string, or an object', '5'],
    [{ name: 'xx', either: { x: '1' } }, '/either/x', 'a number', '"1"'],
    [[], '', 'an object', '[]'],
  ];
  for (const [value, pointer, expected, got] of cases)
    t.same(
      check(value),
      { pointer, expected, got, message: `${pointer || 'The request'}: expected ${expected}, got ${got}.` },
      JSON.stringify(value),
    );
  t.equal(check({ name: 'xx', 'a/b~c': [1, 9], mode: 'slow', when: '2026-01-01', either: 'x' }), null);
});

t.test('the dialect is 2020-12, or draft-07 where $schema says so; others are refused', async (t) => {
  const tuple = { type: 'array', prefixItems: [{ type: 'string' }] };
  t.not(compileInputSchema(tuple)([1]), null);
  const old = { $schema: 'http://json-schema.org/draft-07/schema#' };
  t.equal(compileInputSchema({ ...old, ...tuple })([1]), null, 'draft-07 knows no prefixItems');
  t.not(compileInputSchema({ ...old, type: 'array', items: [{ type: 'string' }] })([1]), null);
  t.throws(() => compileInputSchema({ $schema: 'http://json-schema.org/draft-04/schema#' }), {
    code: 'EINVAL',
    path: '/$schema',
  });
  t.equal(compileInputSchema(undefined)({ any: 'thing' }), null);
  t.equal(compileInputSchema(true)(5), null);
  t.match(compileInputSchema(false)({}), { expected: 'nothing here' });
});

t.test('a schema that people have is taken as its draft says', async (t) => {
  const draft7 = (uri: string, more: JsonObject): JsonValue => ({ $schema: uri, ...more });
  const old = 'http://json-schema.org/draft-07/schema#';
  const list = { definitions: { list: { items: { $ref: '#/definitions/list' }, type: 'array' } } };
  const cases: [string, JsonValue, JsonValue[], JsonValue[]][] = [
    [
      'what stands beside a $ref counts in 2020-12',
      { $defs: { s: { type: 'string' } }, properties: { a: { $ref: '#/$defs/s', minLength: 3 } } },
      [{ a: 'xxx' }],
      [{ a: 'x' }, { a: 5 }],
    ],
    [
      'and not in draft-07',
      draft7(old, {
        definitions: { s: { type: 'string' } },
        properties: { a: { $ref: '#/definitions/s', minLength: 3, description: 'A text', default: 'x' } },
      }),
      [{ a: 'x' }],
      [{ a: 5 }],
    ],
    [
      'a dialect by its https name',
      draft7('https://json-schema.org/draft-07/schema', { type: 'object' }),
      [{}],
      [[]],
    ],
    [
      '2020-12 by its http name',
      draft7('http://json-schema.org/draft/2020-12/schema#', { type: 'object' }),
      [{}],
      [[]],
    ],
    [
      'ids of its own',
      draft7(old, {
        $id: 'https://example.org/a.json#',
        definitions: { s: { $id: '#s', type: 'string' } },
        properties: { a: { $ref: 'https://example.org/a.json#/definitions/s' }, b: { $ref: '#s' } },
      }),
      [{ a: 'x', b: 'y' }],
      [{ a: 1 }, { b: 1 }],
    ],
    ['escapes that only the u flag refuses', { pattern: '^[\\w\\-]+\\@x$' }, ['a-b@x'], ['a b@x']],
    ['characters are code points', { pattern: '^.$' }, ['😀'], ['ab']],
    [
      'nullable alone says nothing',
      { properties: { nullable: { type: 'string' }, b: { nullable: true } } },
      [{ b: 5 }, { b: null }],
      [{ nullable: 5 }],
    ],
    ['nullable beside a type', { type: 'string', nullable: true }, [null, 'x'], [5]],
    ['a recursive $ref', { $ref: '#/definitions/list', ...list }, [[], [[[]]]], [[[5]], {}]],
    [
      'a $ref to the whole',
      { properties: { child: { $ref: '#' } }, additionalProperties: false },
      [{ child: { child: {} } }],
      [{ child: { x: 1 } }],
    ],
    [
      'multiples of decimal fractions',
      { multipleOf: 0.01 },
      [0.07, 19.99, 1234567.89, 1e21, -0.29, 0],
      [0.075, 1e-7],
    ],
    ['multiples of whole numbers', { multipleOf: 3 }, [9, -3, 4.5e1], [10, 0.3]],
  ];
  for (const [title, schema, good, bad] of cases) {
    const check = compileInputSchema(schema);
    for (const value of good) t.equal(check(value), null, `${title}: ${JSON.stringify(value)}`);
    for (const value of bad) t.not(check(value), null, `${title}: not ${JSON.stringify(value)}`);
  }
});

t.test('what is no schema, reaches outside, or is too large is refused, with its place', async (t) => {
  let deep: JsonValue = {};
  for (let i = 0; i < 100; i++) deep = { not: deep };
  const cases: [JsonValue, RegExp, string][] = [
    [{ type: 'strng' }, /is not JSON Schema/, '/type'],
    [{ properties: { a: { minimum: 'x' } } }, /is not JSON Schema/, '/properties/a/minimum'],
    [{ $ref: 'https://example.org/schema.json' }, /can't resolve reference/, '/$ref'],
    [{ items: { $ref: '#/$defs/none' } }, /can't resolve reference/, '/items/$ref'],
    [{ properties: { a: { pattern: '(' } } }, /./, '/properties/a/pattern'],
    [{ patternProperties: { '[': {} } }, /./, '/patternProperties/['],
    [{ not: { $async: true } }, /\$async/, '/not/$async'],
    [deep, /nested/, ''],
    [{ enum: Array.from({ length: MAX_SCHEMA_BYTES / 2 }, (_, i) => i) }, /larger than/, ''],
  ];
  for (const [schema, message, path] of cases) {
    let thrown: unknown;
    try {
      compileInputSchema(schema);
    } catch (error) {
      thrown = error;
    }
    t.ok(FsError.is(thrown), JSON.stringify(schema).slice(0, 60));
    t.match(thrown, { code: 'EINVAL', message });
    if (path !== '') t.equal((thrown as FsError).path, path);
  }
  t.equal(compileInputSchema({ type: 'object' })({}), null, 'the next good one is not harmed');
});

t.test('schemas with ids of their own do not meet each other', async (t) => {
  const named = (type: string): JsonValue => ({
    $id: 'https://example.org/same',
    $defs: { part: { $id: 'https://example.org/part', type } },
    properties: { a: { $ref: 'https://example.org/part' } },
  });
  const one = compileInputSchema(named('string'));
  const two = compileInputSchema(named('number'));
  t.equal(one({ a: 'x' }), null);
  t.equal(two({ a: 1 }), null);
  t.match(two({ a: 'x' }), { pointer: '/a', expected: 'a number' });
});

t.test('a hostile schema or request costs a second at most', async (t) => {
  const within = (ms: number, work: () => void): void => {
    const startedAt = performance.now();
    work();
    const took = performance.now() - startedAt;
    t.ok(took < ms, `${took.toFixed(0)} ms`);
  };
  const backtracking = compileInputSchema({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } });
  t.equal(backtracking({ a: 'aaaa' }), null);
  within(5000, () => t.match(backtracking({ a: `${'a'.repeat(60)}!` }), { expected: /in a second/ }));
  const doubling: Record<string, JsonValue> = { d0: { type: 'string' } };
  for (let i = 1; i < 60; i++)
    doubling[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
  const exponential = compileInputSchema({ $defs: doubling, properties: { a: { $ref: '#/$defs/d59' } } });
  within(5000, () => t.match(exponential({ a: 'x' }), { expected: /in a second/ }));
  const recursive = compileInputSchema({ $defs: { n: { items: { $ref: '#/$defs/n' } } }, $ref: '#/$defs/n' });
  const nested: unknown = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`);
  within(5000, () => t.match(recursive(nested), { expected: /not nested too deeply/ }));
  t.equal(recursive([[[]]]), null);
});

t.test('names of prototypes are no properties', async (t) => {
  const check = compileInputSchema({ type: 'object', required: ['toString', 'constructor'] });
  t.match(check({}), { expected: 'a property "toString"' });
  t.equal(check(JSON.parse('{"toString":1,"constructor":2,"__proto__":3}')), null);
});

t.test('a template passes its schema wherever one can be made', async (t) => {
  const schemas: JsonValue[] = [
    {},
    { type: 'object' },
    { type: 'object', examples: [{ a: 1 }], required: ['a'] },
    { type: 'object', default: { b: 2 } },
    {
      type: 'object',
      required: ['n'],
      properties: { n: { type: 'integer', exclusiveMinimum: 3, multipleOf: 5 } },
    },
    { type: 'object', required: ['n'], properties: { n: { type: 'number', maximum: -2.5 } } },
    { type: 'object', required: ['s'], properties: { s: { type: 'string', minLength: 9, maxLength: 9 } } },
    { type: 'object', required: ['s'], properties: { s: { type: 'string', pattern: '^[0-9]+$' } } },
    { type: 'object', required: ['u'], properties: { u: { type: 'string', format: 'uri' } } },
    {
      type: 'object',
      required: ['l'],
      properties: { l: { type: 'array', minItems: 2, items: { type: 'boolean' } } },
    },
    { type: 'object', required: ['c'], properties: { c: { const: 'only' } } },
    { type: 'object', required: ['t'], properties: { t: { type: ['null', 'string'], minLength: 3 } } },
    {
      $defs: { p: { type: 'object', required: ['x'], properties: { x: { enum: [7] } } } },
      $ref: '#/$defs/p',
    },
    {
      type: 'object',
      required: ['a'],
      properties: { a: { $ref: '#/$defs/s' } },
      $defs: { s: { type: 'string' } },
    },
    {
      oneOf: [{ type: 'object', required: ['a'], properties: { a: { type: 'string' } } }, { type: 'string' }],
    },
    {
      allOf: [
        { type: 'object', required: ['a'], properties: { a: { type: 'integer' } } },
        { type: 'object', required: ['b'], properties: { b: { type: 'boolean' } } },
      ],
    },
    { type: 'object', minProperties: 0, properties: { self: { $ref: '#' } } },
  ];
  for (const schema of schemas) {
    const check = compileInputSchema(schema);
    const template = templateFromSchema(schema, check);
    t.type(template, 'object', JSON.stringify(schema));
    t.equal(check(template), null, JSON.stringify(template));
  }
  const impossible: JsonValue = { type: 'object', required: ['a'], properties: { a: false } };
  t.equal(templateFromSchema(impossible, compileInputSchema(impossible)), undefined);
});

t.test('keys that are names of methods are data like others', async (t) => {
  const check = compileInputSchema({
    properties: { a: { uniqueItems: true }, b: { const: { x: 1 } }, c: { enum: [{ valueOf: 1 }, 2] } },
  });
  for (const key of ['toString', 'valueOf', 'constructor', 'hasOwnProperty', '__proto__']) {
    const [one, two] = [1, 2].map((n) => JSON.parse(`{"${key}":${n}}`) as JsonValue) as [
      JsonValue,
      JsonValue,
    ];
    t.equal(check({ a: [one, two] }), null, key);
    t.match(check({ a: [one, JSON.parse(JSON.stringify(one))] }), { pointer: '/a' }, key);
    t.match(check({ b: one }), { pointer: '/b' }, key);
  }
  t.equal(check({ c: { valueOf: 1 } }), null);
  t.match(check({ c: { valueOf: 2 } }), { pointer: '/c' });
});
