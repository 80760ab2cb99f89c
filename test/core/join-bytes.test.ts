import t from 'tap';
import { joinBytes } from '../../lib/core/index.js';

t.test('parts become one; a single one is not copied', async (t) => {
  const part = Buffer.from('ab');
  t.equal(joinBytes([part]), part);
  t.equal(joinBytes([part, Buffer.from('c')]).toString(), 'abc');
  t.equal(joinBytes([]).byteLength, 0);
});
