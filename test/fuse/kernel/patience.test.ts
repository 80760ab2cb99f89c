import t from 'tap';
import { Patience } from '../../../lib/fuse/kernel/patience.js';

/** Requests that come `gapMs` after the answer to the one before, each of which wakes us. */
function requests(patience: Patience, count: number, gapMs: number, startMs: number): void {
  for (let i = 0; i < count; i++) {
    patience.answered(startMs + i * gapMs);
    patience.wakes(startMs + (i + 1) * gapMs);
  }
}

t.test('the window opens while requests come soon after the answer before, up to its bound', async (t) => {
  const patience = new Patience(0.1);
  t.equal(patience.windowMs, 0, 'it starts closed');
  requests(patience, 10, 0.05, 0);
  t.equal(patience.windowMs, 0.1);
  patience.answered(1);
  t.ok(patience.goesOn(1.04));
  t.ok(patience.goesOn(1.08));
  t.notOk(patience.goesOn(1.12));
});

t.test('the window closes when nobody comes in time', async (t) => {
  const patience = new Patience(0.1);
  requests(patience, 10, 0.05, 0);
  requests(patience, 10, 0.15, 100);
  t.equal(patience.windowMs, 0, 'a little late is too late: each look would be in vain');
});

t.test('the window closes when somebody else gets the processor', async (t) => {
  const patience = new Patience(0.1);
  requests(patience, 10, 0.05, 0);
  patience.answered(1);
  t.ok(patience.goesOn(1.01));
  t.notOk(patience.goesOn(1.07), 'we were off in between');
  t.equal(patience.windowMs, 0);
});

t.test('where there is one processor nobody is waited for', async (t) => {
  const patience = new Patience(0);
  requests(patience, 10, 0.01, 0);
  t.notOk(patience.goesOn(0.11));
});
