import fc from '../support/properties.js';
import t from 'tap';
import { parseExactly, type JsonObject } from '../../lib/core/index.js';
import {
  readManifest,
  requestCheckOf,
  type InputFault,
  type ServiceDefinition,
} from '../../lib/manifest/index.js';
import { errnoOf, shellManifest, TestNode } from '../support/test-node.js';

const [A, B] = ['9007199254740992', '9007199254740993'];

/** A service whose manifest has this schema, as text. */
function definitionFrom(schema: string): ServiceDefinition {
  const text = JSON.stringify({ ...shellManifest('svc', 'cat'), schema: { input: 0 } });
  const manifest = text.replace('{"input":0}', `{"input":${schema}}`);
  const { definition, faults } = readManifest(manifest, { file: '/srv/svc.json', nodeId: 'n1' });
  t.same(faults, []);
  return definition!;
}

/** Checks a request by its text, as a service does. */
function checkOf(schema: string): (text: string) => Promise<readonly InputFault[] | null> {
  const check = requestCheckOf(definitionFrom(schema));
  return async (text) =>
    check(Buffer.from(text), text.length < 100_000 ? (parseExactly(text) as JsonObject) : null);
}

const CASES: { schema: string; good: string[]; bad: string[] }[] = [
  { schema: `{"maximum":${A}}`, good: [A, '-1e300'], bad: [B, '1e400'] },
  { schema: `{"maximum":${B}}`, good: [A, B], bad: ['9007199254740993.1', '9007199254740994'] },
  { schema: `{"minimum":${B}}`, good: [B, '1e16'], bad: [A, '9007199254740992.999'] },
  { schema: `{"exclusiveMaximum":${B}}`, good: [A], bad: [B] },
  { schema: `{"exclusiveMinimum":${A}}`, good: [B], bad: [A] },
  { schema: `{"exclusiveMinimum":0}`, good: ['1e-400'], bad: ['-1e-400', '0e-400', '-0'] },
  { schema: `{"minimum":0.3000000000000000001}`, good: ['0.3000000000000000001'], bad: ['0.3'] },
  { schema: `{"const":${A}}`, good: [A, `${A}.0`, '9.007199254740992e15'], bad: [B] },
  { schema: `{"const":{"a":[${B}]}}`, good: [`{"a":[${B}]}`], bad: [`{"a":[${A}]}`] },
  { schema: `{"enum":[1,[${B}]]}`, good: ['1', `[${B}]`], bad: [`[${A}]`, B] },
  { schema: '{"multipleOf":2}', good: [A], bad: [B] },
  { schema: '{"multipleOf":0.01}', good: [`${B}.07`, '1e999999999999'], bad: [`${B}.075`] },
  { schema: `{"multipleOf":${B}}`, good: [B, '18014398509481986', '0'], bad: [A] },
  { schema: '{"uniqueItems":true}', good: [`[${A},${B}]`], bad: [`[${B},1,${B}.0]`] },
  { schema: '{"type":"integer"}', good: [B, `${B}.0`], bad: [`${B}.5`, '12345678901234567.25'] },
  {
    schema: '{"type":"integer","minimum":-9223372036854775808,"maximum":18446744073709551615}',
    good: ['18446744073709551615', '-9223372036854775808'],
    bad: ['18446744073709551616', '-9223372036854775809'],
  },
  {
    schema: `{"type":"object","additionalProperties":{"maximum":${A}}}`,
    good: [`{"a/~b":${A}}`],
    bad: [`{"a/~b":${B}}`],
  },
];

t.test('numbers count as they are written, in requests and in schemas, however long', async (t) => {
  for (const { schema, good, bad } of CASES) {
    const check = checkOf(`{"properties":{"n":${schema}}}`);
    for (const value of good) t.equal(await check(`{"n":${value}}`), null, `${schema}: ${value}`);
    for (const value of bad) t.not(await check(`{"n":${value}}`), null, `${schema}: not ${value}`);
  }
});

t.test('what is refused is shown as it was written', async (t) => {
  const check = checkOf(
    `{"properties":{"a":{"maximum":${A}},"b":{"enum":[1,${B}]},"c":{"minimum":0,"maximum":${B},"type":"integer"},"d":{"const":${B}}}}`,
  );
  t.same(
    (await check(`{"a":${B},"b":${A},"c":9007199254740994,"d":9007199254740995,"s":"\\"{${B}"}`))?.map(
      ({ message }) => message,
    ),
    [
      `/a: expected a number <= ${A}, got ${B}.`,
      `/b: expected one of 1, ${B}, got ${A}.`,
      `/c: expected an integer from 0 to ${B}, got 9007199254740994.`,
      `/d: expected ${B}, got 9007199254740995.`,
    ],
  );
});

t.test('a request that is checked in a thread of its own is checked so too', async (t) => {
  const check = checkOf(`{"properties":{"n":{"items":{"maximum":${B}}},"p":{"pattern":"^(a+)+$"}}}`);
  const slow = JSON.stringify('a'.repeat(20));
  for (const [last, isGood] of [
    [B, true],
    ['9007199254740994', false],
  ] as const) {
    const items = Array.from({ length: 60_000 }, () => '5');
    t.equal((await check(`{"p":${slow},"n":[${[...items, last].join(',')}]}`)) === null, isGood);
  }
});

t.test('any two numbers are distinguished exactly when their decimals differ', async (t) => {
  const digits = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });
  await fc.assert(
    fc.asyncProperty(
      digits,
      fc.integer({ min: 0, max: 30 }),
      fc.constantFrom(-1n, 0n, 1n),
      async (limit, point, step) => {
        const written = (number: bigint): string => {
          const text = String(number < 0n ? -number : number).padStart(point + 1, '0');
          const [whole, fraction] = [text.slice(0, text.length - point), text.slice(text.length - point)];
          return `${number < 0n ? '-' : ''}${whole}${point === 0 ? '' : `.${fraction}`}`;
        };
        for (const [keyword, fits] of [
          ['maximum', step <= 0n],
          ['minimum', step >= 0n],
          ['const', step === 0n],
        ] as const) {
          const fault = await checkOf(`{"properties":{"n":{"${keyword}":${written(limit)}}}}`)(
            `{"n":${written(limit + step)}}`,
          );
          t.equal(fault === null, fits);
        }
      },
    ),
    { numRuns: 100 },
  );
});

t.test(
  'a service refuses such a request, runs the right one with its bytes, and knows it again',
  async (t) => {
    const schema = { input: { properties: { n: { maximum: 9007199254740992 } } } };
    const node = await TestNode.start(t, [
      shellManifest('svc', 'cat', { schema }),
      shellManifest('any', 'cat'),
    ]);
    const invoke = node.path('svc', 'control/invoke.json');
    t.equal(await errnoOf(() => node.write(invoke, `{"n":${B}}`)), 'EINVAL');
    await node.write(invoke, `{"n":${A}}`);
    const keyed = node.path('any', 'control/invoke.json');
    await node.write(keyed, `{"_key":"k","n":${B}}`);
    await node.write(keyed, `{"_key":"k", "n":${B}.0}`);
    t.equal(await errnoOf(() => node.write(keyed, `{"_key":"k","n":${A}}`)), 'EEXIST', 'another request');
  },
);

t.test('a manifest in which only the last digit of a large number is another is another', async (t) => {
  const [one, two] = [A, B].map((limit) => definitionFrom(`{"properties":{"n":{"maximum":${limit}}}}`));
  t.not(one!.digest, two!.digest);
});
