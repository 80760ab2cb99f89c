import t from 'tap';
import { Patience } from '../../../lib/fuse/kernel/patience.js';

t.test('the window opens while requests come soon after falling asleep, up to its bound', async (t) => {
  const patience = new Patience(0.1);
  t.equal(patience.windowMs, 0, 'it starts closed');
  for (let now = 0; now < 10; now += 1) {
    patience.sleeps(now);
    patience.wakes(now + 0.05);
    t.ok(patience.windowMs <= 0.1);
  }
  t.ok(patience.windowMs >= 0.05, 'wide enough for those who come back that soon');
});

t.test('the window closes when nobody comes in time', async (t) => {
  const patience = new Patience(0.1);
  for (let now = 0; now < 10; now += 1) {
    patience.sleeps(now);
    patience.wakes(now + 0.05);
  }
  for (let now = 100; now < 1000; now += 100) {
    patience.sleeps(now);
    patience.wakes(now + 50);
  }
  t.equal(patience.windowMs, 0);
});

t.test('where there is one processor nobody is waited for', async (t) => {
  const patience = new Patience(0);
  patience.sleeps(0);
  patience.wakes(0);
  patience.sleeps(1);
  patience.wakes(1.01);
  t.equal(patience.windowMs, 0);
});
