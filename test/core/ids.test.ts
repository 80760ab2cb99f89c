import t from 'tap';
import { newInvocationId, timeOfInvocationId } from '../../lib/core/index.js';

t.test('invocation ids sort by creation and carry their time', async (t) => {
  const now = Date.parse('2026-01-02T03:04:05.678Z');
  const ids = Array.from({ length: 1000 }, () => newInvocationId(now));
  t.same([...ids].sort(), ids);
  t.equal(new Set(ids).size, ids.length);
  t.equal(timeOfInvocationId(ids[0]!), now);
});
