import { readFileSync } from 'node:fs';
import t from 'tap';
import type { JsonObject, JsonValue } from '../../lib/core/index.js';
import { TestNode, shellManifest } from '../support/test-node.js';

/** Of its own work: what a loaded machine makes it wait is not counted. What is looked for holds it for seconds. */
const MAX_HELD_MS = 500;
/** Of the kernel's accounts of threads. */
const TICK_MS = 10;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const anyOf = numbers(400).map((at): JsonValue => ({ const: `x${at}` }));
const of = (a: JsonValue): JsonObject => ({ type: 'object', properties: { a } });

const CASES: { title: string; schema: JsonObject; input: JsonObject; fits: boolean }[] = [
  {
    title: 'a pattern that backtracks',
    schema: of({ pattern: '^(a+)+$' }),
    input: { a: `${'a'.repeat(60)}!` },
    fits: false,
  },
  {
    title: 'patternProperties that backtrack',
    schema: { patternProperties: { '^(a+)+$': {} } },
    input: { [`${'a'.repeat(60)}!`]: 1 },
    fits: false,
  },
  {
    title: 'unique objects',
    schema: of({ uniqueItems: true }),
    input: { a: numbers(20_000).map((i) => ({ i })) },
    fits: false,
  },
  {
    title: 'many alternatives for many items',
    schema: of({ items: { anyOf } }),
    input: { a: numbers(120_000).map(() => 'x399') },
    fits: false,
  },
  {
    title: 'valid data that take a while',
    schema: of({ items: { enum: [...numbers(100).map((k): JsonValue => ({ k })), 0] } }),
    input: { a: numbers(8_000).map(() => 0) },
    fits: true,
  },
  {
    title: 'a long text that fits',
    schema: of({ pattern: '^[a-z]*$' }),
    input: { a: 'a'.repeat(900_000) },
    fits: true,
  },
];

t.test('no request holds the node while it is checked by a schema', async (t) => {
  const manifests = CASES.map(({ schema }, at) =>
    shellManifest(`s${at}`, 'cat >/dev/null', { schema: { input: schema } }),
  );
  const node = await TestNode.start(t, manifests);
  for (const [at, { title, input, fits }] of CASES.entries()) {
    const held = watchThread();
    const call = node.write(node.path(`s${at}`, 'control/invoke.json'), JSON.stringify(input));
    if (fits) await t.resolves(call, title);
    else await t.rejects(call, { code: 'EINVAL', message: /checked in a second/ }, title);
    t.ok(held() < MAX_HELD_MS, title);
  }
});

t.test('a request with a key may be large', async (t) => {
  const node = await TestNode.start(t, [shellManifest('cat', 'cat >/dev/null; echo ran >&2')]);
  const invoke = node.path('cat', 'control/invoke.json');
  const a = numbers(100_000).map(() => []);
  const held = watchThread();
  await node.write(invoke, JSON.stringify({ _key: 'k', a, b: 1 }));
  await node.write(invoke, JSON.stringify({ b: 1, _key: 'k', a }));
  t.ok(held() < 2 * MAX_HELD_MS);
  await t.rejects(node.write(invoke, JSON.stringify({ _key: 'k', a, b: 2 })), {
    code: 'EEXIST',
  });
});

t.test('a request of millions of parts is read in turns, also with a schema or a key', async (t) => {
  const limits = { runtime: { kind: 'native-proc', max_payload_bytes: 16 * 1024 * 1024 } };
  const node = await TestNode.start(t, [
    shellManifest('plain', 'cat >/dev/null', limits),
    shellManifest('checked', 'cat >/dev/null', {
      ...limits,
      schema: { input: of({ type: 'array', items: { type: 'object' } }) },
    }),
  ]);
  const parts = '{},'.repeat(1_200_000);
  const dense = `[${parts}{}]`;
  const ways: [string, () => Promise<unknown>][] = [
    ['as it comes', () => node.write(node.path('plain', 'control/invoke.json'), `{"a":${dense}}`)],
    ['with a schema', () => node.write(node.path('checked', 'control/invoke.json'), `{"a":${dense}}`)],
    ['with a key', () => node.write(node.path('plain', 'control/invoke.json'), `{"_key":"k","a":${dense}}`)],
  ];
  for (const [title, call] of ways) {
    const held = watchThread();
    await t.resolves(call(), title);
    const ms = held();
    t.comment(title, ms);
    t.ok(ms < MAX_HELD_MS, title);
  }
});

/** Answers, when it is asked, how long this thread worked on one thing at most. */
function watchThread(): () => number {
  let last = workedMs();
  let longest = 0;
  const look = (): void => {
    const now = workedMs();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  return () => {
    clearInterval(timer);
    look();
    return longest;
  };
}

/** How long the main thread of this process has had a processor: as its user, and in the kernel. */
function workedMs(): number {
  const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8');
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14);
  return (Number(user) + Number(system)) * TICK_MS;
}
