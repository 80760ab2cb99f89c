import t from 'tap';
import { changedPointers, type JsonObject } from '../../lib/core/index.js';

t.test('each smallest value that differs is named once, by its JSON Pointer', (t) => {
  const before = { a: 1, b: { c: [1, 2], 'd/e': { '~': true } }, gone: { x: 1 }, same: [{ y: null }] };
  const after = { a: 2, b: { c: [1, 3], 'd/e': { '~': false } }, come: [], same: [{ y: null }] };
  t.same(changedPointers(before, after), ['/a', '/b/c/1', '/b/d~1e/~0', '/gone', '/come']);
  t.same(changedPointers(before, structuredClone(before)), []);
  t.end();
});

t.test('a list that became longer counts as a whole; so does a value that became another kind', (t) => {
  t.same(changedPointers({ a: [1, 2], b: {} }, { a: [1, 2, 3], b: [] }), ['/a', '/b']);
  t.same(changedPointers(undefined, { a: 1 }), ['']);
  t.same(changedPointers(JSON.parse('{"__proto__": 1}') as JsonObject, {}), ['/__proto__']);
  t.end();
});
