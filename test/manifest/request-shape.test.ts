import t from 'tap';
import { shapeOfRequest } from '../../lib/manifest/index.js';

t.test('a schema is told in a line', async (t) => {
  const shapes: [object, string | undefined][] = [
    [{}, undefined],
    [{ properties: {} }, '{}'],
    [{ properties: { a: { type: 'string' }, b: {} }, required: ['a'] }, '{a: string, b?: any}'],
    [{ properties: { 'a b': { type: ['string', 'null'] } } }, '{"a b"?: string | null}'],
    [{ properties: { a: { type: 'array', items: { enum: ['x', 1] } } } }, '{a?: ("x" | 1)[]}'],
    [{ properties: { a: { const: true }, b: true } }, '{a?: true, b?: any}'],
    [{ properties: { a: { enum: [1, 2, 3, 4, 5, 6, 7] } } }, '{a?: 1 | 2 | 3 | 4 | 5 | 6 | …}'],
    [{ properties: Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`name${n}`, {}])) }, undefined],
  ];
  for (const [schema, shape] of shapes)
    t.equal(shapeOfRequest(schema as never), shape, JSON.stringify(schema));
});
