import t from 'tap';
import { dropOldest } from '../../lib/core/index.js';

t.test('what was put in first goes where there is one more than may be kept', async (t) => {
  const kept = new Map([
    ['b', 1],
    ['a', 2],
    ['c', 3],
  ]);
  dropOldest(kept, 3);
  t.same([...kept.keys()], ['b', 'a', 'c'], 'nothing is too much yet');
  dropOldest(kept, 2);
  t.same([...kept.keys()], ['a', 'c']);
  const names = new Set(['b', 'a']);
  dropOldest(names, 1);
  t.same([...names], ['a']);
});
