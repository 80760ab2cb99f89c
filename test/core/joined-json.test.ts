import t from 'tap';
import { joinedJson } from '../../lib/core/index.js';

t.test('the members of several objects become the text of one, in their order', async (t) => {
  const parts = [{ a: 1, b: 'x, {}' }, {}, { c: undefined }, { d: [null], e: { f: true } }];
  t.equal(joinedJson(...parts), '{"a":1,"b":"x, {}","d":[null],"e":{"f":true}}');
  t.equal(joinedJson({}, {}), '{}');
  t.equal(joinedJson({}, { a: '"}' }), '{"a":"\\"}"}');
});
