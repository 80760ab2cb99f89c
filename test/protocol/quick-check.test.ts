import fc from '../support/properties.js';
import t from 'tap';
import type * as z from 'zod';
import { acheronEnvelope, controlEnvelope, FS_EVENTS, FS_MESSAGES } from '../../lib/protocol/index.js';
import { quickCheck } from '../../lib/protocol/quick-check.js';

const ATTRIBUTES = {
  kind: 'file',
  size: 12,
  mode: 'rw',
  perm: 0o644,
  ino: '18446744073709551615',
  nlink: 1,
  uid: null,
  gid: 0,
  atime_ns: '-1',
  mtime_ns: '1700000000000000000',
  ctime_ns: '0',
  freshness: 'live',
};

/** What is sent most, by schema: it must be taken, or the check would be of no use. */
const COMMON: readonly (readonly [z.ZodType, object])[] = [
  [acheronEnvelope, { channel: 'acheron', type: 'acheron.t_fs_read', tag: 7, h: 1, n: 3, payload: { a: 1 } }],
  [acheronEnvelope, { channel: 'acheron', type: 'acheron.r_fs_read', tag: 7, ok: true, payload: {} }],
  [controlEnvelope, { channel: 'control', type: 'control.ping', id: '1', payload: {} }],
  [FS_MESSAGES.lookup.request, { name: 'status.json' }],
  [FS_MESSAGES.lookup.reply, { ...ATTRIBUTES, node: 4, name: 'status.json' }],
  [FS_MESSAGES.getattr.reply, ATTRIBUTES],
  [FS_MESSAGES.open.request, { flags: 0, inline: 65536 }],
  [FS_MESSAGES.open.reply, { handle: 3, mode: 'r', direct: true, fixed: true, attr: ATTRIBUTES, eof: true }],
  [FS_MESSAGES.read.request, { offset: 0, count: 4096 }],
  [FS_MESSAGES.read.reply, { eof: false }],
  [FS_MESSAGES.write.request, { offset: 5 }],
  [FS_MESSAGES.write.reply, { count: 200 }],
  [FS_MESSAGES.setattr.request, { mtime_ns: 'now', size: 0 }],
  [FS_MESSAGES.readdirp.reply, { entries: [{ ...ATTRIBUTES, name: 'a', node: 9 }], next: 1, eof: true }],
  [FS_EVENTS.e_fs_inval.payload, { node: 1, what: 'all', tree: true, sync: 1 }],
];

const SCHEMAS: readonly z.ZodType[] = [
  acheronEnvelope,
  controlEnvelope,
  ...Object.values(FS_MESSAGES).flatMap(({ request, reply }) => [request, reply]),
  ...Object.values(FS_EVENTS).map(({ payload }) => payload),
];

t.test('what is sent most is taken without asking the schema', async (t) => {
  for (const [schema, value] of COMMON) t.ok(quickCheck(schema, value), JSON.stringify(value));
});

t.test('what is taken is what the schema would answer, whatever a peer sends', async (t) => {
  const keys = [
    ...new Set(COMMON.flatMap(([, value]) => Object.keys(value))),
    ...['__proto__', 'constructor', 'toString', 'entries', 'x', 'protocol', 'proto', 'capabilities', 'nodes'],
    ...['mask', 'target', 'to_node', 'to_name', 'value_b64', 'names', 'exports', 'found', 'oldtag', 'perm'],
  ];
  const values = fc.oneof(
    fc.constantFrom<unknown>(
      0,
      -0,
      -1,
      1.5,
      2 ** 53,
      NaN,
      '',
      '0',
      '00',
      'r',
      'rw',
      'file',
      'now',
      '..',
      'a/b',
      'a\0',
    ),
    fc.constantFrom<unknown>(
      null,
      true,
      false,
      [],
      {},
      [1],
      ['a'],
      'x'.repeat(300),
      'acheron',
      'control',
      'acheron.x\n',
    ),
    fc.nat(),
    fc.string(),
    fc.jsonValue(),
    fc.constant<unknown>([{ ...ATTRIBUTES, name: 'a' }]),
    fc.constant<unknown>([{ ...ATTRIBUTES, name: 'a', more: 1 }]),
  );
  const edits = fc.tuple(
    fc.array(fc.tuple(fc.constantFrom(...keys), values), { maxLength: 2 }),
    fc.array(fc.constantFrom(...keys), { maxLength: 1 }),
  );
  const edited = fc.tuple(fc.constantFrom(...COMMON), edits).map(([[schema, base], [changed, removed]]) => {
    const entries = new Map<string, unknown>([...Object.entries(base), ...changed]);
    for (const key of removed) entries.delete(key);
    return [schema, Object.fromEntries(entries)] as const;
  });
  const anything = fc.tuple(
    fc.constantFrom(...SCHEMAS),
    fc.oneof(
      values,
      edited.map(([, value]) => value),
    ),
  );
  let taken = 0;
  fc.assert(
    fc.property(fc.oneof(edited, anything), ([schema, value]) => {
      if (!quickCheck(schema, value)) return;
      taken++;
      const parsed = schema.safeParse(value);
      if (!parsed.success) throw new Error(`the schema refuses it: ${parsed.error.message}`);
      t.strictSame(parsed.data, value);
    }),
    { numRuns: 10_000 },
  );
  t.ok(taken > 500, `${taken} were taken`);
});
