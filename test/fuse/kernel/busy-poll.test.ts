import t from 'tap';
import { BusyPoll } from '../../../lib/fuse/kernel/busy-poll.js';

/** Requests that come `gapMs` after the answer to the one before, each of which wakes us. */
function requests(busyPoll: BusyPoll, count: number, gapMs: number, startMs: number): void {
  for (let i = 0; i < count; i++) {
    busyPoll.answered(startMs + i * gapMs);
    busyPoll.wakes(startMs + (i + 1) * gapMs);
  }
}

t.test('the window opens while requests come soon after the answer before, up to its bound', async (t) => {
  const busyPoll = new BusyPoll(0.1);
  t.equal(busyPoll.windowMs, 0, 'it starts closed');
  requests(busyPoll, 10, 0.05, 0);
  t.equal(busyPoll.windowMs, 0.1);
  busyPoll.answered(1);
  t.ok(busyPoll.goesOn(1.04));
  t.ok(busyPoll.goesOn(1.08));
  t.notOk(busyPoll.goesOn(1.12));
});

t.test('the window closes when nobody comes in time', async (t) => {
  const busyPoll = new BusyPoll(0.1);
  requests(busyPoll, 10, 0.05, 0);
  requests(busyPoll, 10, 0.15, 100);
  t.equal(busyPoll.windowMs, 0, 'a little late is too late: each look would be in vain');
});

t.test('the window closes when somebody else gets the processor', async (t) => {
  const busyPoll = new BusyPoll(0.1);
  requests(busyPoll, 10, 0.05, 0);
  busyPoll.answered(1);
  t.ok(busyPoll.goesOn(1.01));
  t.notOk(busyPoll.goesOn(1.07), 'we were off in between');
  t.equal(busyPoll.windowMs, 0);
});

t.test('where there is one processor nobody is waited for', async (t) => {
  const busyPoll = new BusyPoll(0);
  requests(busyPoll, 10, 0.01, 0);
  t.notOk(busyPoll.goesOn(0.11));
});
