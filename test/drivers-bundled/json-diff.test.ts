import fc from '../support/properties.js';
import t from 'tap';
import { invoke, type Step } from '../../drivers/json-diff.js';

/** RFC 6902 for the three operations, on a copy. */
function apply(document: unknown, patch: readonly Step[]): unknown {
  const holder = { root: structuredClone(document) } as Record<string, unknown>;
  for (const { op, path, value } of patch) {
    const parts = [
      'root',
      ...path
        .split('/')
        .slice(1)
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')),
    ];
    const key = parts.pop()!;
    let at: unknown = holder;
    for (const part of parts) at = (at as Record<string, unknown>)[part];
    if (Array.isArray(at)) at.splice(Number(key), op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [value]));
    else if (op === 'remove') Reflect.deleteProperty(at as object, key);
    else Object.defineProperty(at, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return holder['root'];
}

t.test('json-diff gives a patch that turns one document into the other', async (t) => {
  const documents = fc
    .jsonValue({ maxDepth: 4 })
    .map((value) => JSON.parse(JSON.stringify(value)) as unknown);
  await fc.assert(
    fc.asyncProperty(documents, documents, async (from, to) => {
      const { patch, equal } = await invoke({ from, to });
      t.equal(JSON.stringify(sorted(apply(from, patch))), JSON.stringify(sorted(to)));
      t.equal(equal, JSON.stringify(sorted(from)) === JSON.stringify(sorted(to)));
    }),
  );
});

t.test('json-diff keeps what arrays share at their ends', async (t) => {
  t.same((await invoke({ from: [1, 2, 3, 4], to: [1, 9, 3, 4] })).patch, [
    { op: 'replace', path: '/1', value: 9 },
  ]);
  t.same((await invoke({ from: [1, 2, 3], to: [1, 3] })).patch, [{ op: 'remove', path: '/1' }]);
  t.same((await invoke({ from: { 'a/b~': 1 }, to: {} })).patch, [{ op: 'remove', path: '/a~1b~0' }]);
});

t.test('json-diff refuses a payload without its two documents', async (t) => {
  await t.rejects(invoke({ from: 1 }), { message: 'the payload has no "to"' });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, item]) => [key, sorted(item)])
    .toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1));
  // Distinguished from an array of the same entries.
  return { entries };
}
