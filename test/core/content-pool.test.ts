import t from 'tap';
import { lendBytes } from '../../lib/core/index.js';

const PIECE = 128 * 1024;

t.test('memory that was given back is lent again, and what is lent is nobody else’s', async (t) => {
  const first = lendBytes(PIECE);
  const second = lendBytes(PIECE);
  t.not(first.bytes.buffer, second.bytes.buffer);
  first.giveBack?.();
  const third = lendBytes(PIECE - 5);
  t.equal(third.bytes.buffer, first.bytes.buffer);
  t.equal(third.bytes.byteLength, PIECE - 5);
  t.not(lendBytes(PIECE).bytes.buffer, second.bytes.buffer);
});

t.test('no more is kept than the limit says', async (t) => {
  const lent = Array.from({ length: 100 }, () => lendBytes(1024 * 1024));
  for (const { giveBack } of lent) giveBack?.();
  const before = new Set(lent.map(({ bytes }) => bytes.buffer));
  const again = Array.from({ length: 100 }, () => lendBytes(1024 * 1024));
  const kept = again.filter(({ bytes }) => before.has(bytes.buffer)).length;
  t.ok(kept > 0 && kept <= 8, `${kept} MiB were kept`);
});

t.test('what is short or very long is not kept', async (t) => {
  for (const length of [0, 1, 1000, 1024 * 1024 + 1]) {
    const { bytes, giveBack } = lendBytes(length);
    t.equal(bytes.byteLength, length);
    t.equal(giveBack, undefined);
  }
});
