import t from 'tap';
import { consoleModule } from '../support/console-module.js';
import fc from '../support/properties.js';

interface DiffRow {
  readonly kind: string;
  readonly before: Side | null;
  readonly after: Side | null;
}
interface Side {
  readonly line: number;
  readonly stretches: readonly { readonly text: string; readonly isMarked: boolean }[];
}

t.test('two documents differ in the fields that differ, and in no others', async (t) => {
  const { jsonChanges } = await consoleModule<{
    jsonChanges: (
      before: unknown,
      after: unknown,
    ) => readonly { readonly at: string; readonly kind: string }[];
  }>('model/json-changes.ts');
  const at = (before: unknown, after: unknown): string[] =>
    jsonChanges(before, after).map(({ at: place, kind }) => `${kind} ${place}`);
  t.same(at({ a: 1, b: { c: [1, 2] } }, { b: { c: [1, 3, 4] }, d: null }), [
    'removed /a',
    'changed /b/c/1',
    'added /b/c/2',
    'added /d',
  ]);
  t.same(at({ a: 1, b: 2 }, { b: 2, a: 1 }), [], 'the order of members says nothing');
  t.same(at({ 'a/b': { '~': 1 } }, { 'a/b': { '~': 2 } }), ['changed /a~1b/~0']);
  t.same(at(undefined, { a: 1 }), ['added ']);
  t.same(at({ a: [1] }, { a: { 0: 1 } }), ['changed /a'], 'a list is no object');
  t.same(at(JSON.parse('{"__proto__": 1}'), {}), ['removed /__proto__']);
});

t.test('lines side by side are the lines of both texts, each where it belongs', async (t) => {
  const { rowsOfTexts, rowsOfDiff } = await consoleModule<{
    rowsOfTexts: (before: string, after: string, context: number) => readonly DiffRow[];
    rowsOfDiff: (diff: string) => readonly DiffRow[];
  }>('model/diff-rows.ts');
  const { createTwoFilesPatch } = await import('diff');
  const textOf = (side: Side | null): string | null =>
    side === null ? null : side.stretches.map(({ text }) => text).join('');
  const rows = rowsOfTexts('a\nb\nc\n', 'a\nB!\nc\nd\n', Infinity);
  t.same(
    rows.map(({ before, after }) => [textOf(before), textOf(after)]),
    [
      ['a', 'a'],
      ['b', 'B!'],
      ['c', 'c'],
      [null, 'd'],
    ],
  );
  t.same(
    rows.map(({ before, after }) => [before?.line, after?.line]),
    [
      [1, 1],
      [2, 2],
      [3, 3],
      [undefined, 4],
    ],
  );
  const line = fc.constantFrom('a', 'b', '', '-x', '+y', ' z');
  const lines = fc.array(line, { maxLength: 12 }).map((all) => all.map((one) => `${one}\n`).join(''));
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const whole = rowsOfTexts(before, after, Infinity).filter(({ kind }) => kind !== 'gap');
      if (before === after) return whole.length === 0;
      const join = (of: 'before' | 'after'): string =>
        whole.map((row) => (row[of] === null ? '' : `${textOf(row[of])!}\n`)).join('');
      return join('before') === before && join('after') === after;
    }),
  );
  const long = Array.from({ length: 40 }, (_, at) => `${at}\n`).join('');
  const patch = createTwoFilesPatch('x', 'y', long, long.replace('20\n', 'twenty\n'));
  t.same(
    rowsOfDiff(patch).map(({ kind, after }) => (kind === 'gap' ? '…' : textOf(after))),
    ['…', '16', '17', '18', '19', 'twenty', '21', '22', '23', '24'],
  );
  t.same(rowsOfDiff(''), []);
});

t.test('a timeline shows nothing before what is known of both lists', async (t) => {
  interface Part {
    readonly items: readonly object[];
    readonly next: string | undefined;
  }
  const { timelineOf, withNewest } = await consoleModule<{
    timelineOf: (changes: Part, reloads: Part) => readonly { readonly key: string }[];
    withNewest: (known: Part, newest: Part, keyOf: (item: { n: number }) => string) => Part;
  }>('model/timeline.ts');
  const change = (revision: number): object => ({
    node_id: 'n',
    service_id: 's',
    revision,
    timestamp_ms: revision,
  });
  const reload = (n: number): object => ({ node_id: 'n', n, timestamp_ms: n });
  const keys = (changes: Part, reloads: Part): string[] => timelineOf(changes, reloads).map(({ key }) => key);
  t.same(
    keys(
      { items: [change(9), change(5), change(2)], next: 'more' },
      { items: [reload(6), reload(1)], next: undefined },
    ),
    ['n/s/9', 'n#6', 'n/s/5', 'n/s/2'],
    'older changes may lie between 2 and 1',
  );
  t.same(keys({ items: [change(9)], next: undefined }, { items: [], next: undefined }), ['n/s/9']);
  const known = { items: [{ n: 3 }, { n: 2 }], next: 'x' };
  const keyOf = ({ n }: { n: number }): string => String(n);
  t.same(withNewest(known, { items: [{ n: 4 }, { n: 3 }], next: 'y' }, keyOf), {
    items: [{ n: 4 }, { n: 3 }, { n: 2 }],
    next: 'x',
  });
  t.same(
    withNewest(known, { items: [{ n: 9 }, { n: 8 }], next: 'y' }, keyOf).items,
    [{ n: 9 }, { n: 8 }],
    'what has a hole begins anew',
  );
});
