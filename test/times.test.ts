import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { waited } from './support/times.js';

t.test('what is waited for is told without the time in which nothing could run', async (t) => {
  const { answer, ms } = await waited(async () => {
    await delay(30);
    for (const endMs = performance.now() + 1000; performance.now() < endMs;);
    await delay(30);
    return 'done';
  });
  t.equal(answer, 'done');
  t.ok(ms < 500, `${Math.round(ms)} ms`);
});

t.test('what waits itself is told whole, and an error is passed on', async (t) => {
  // On a machine that stands still meanwhile it is told shorter: most of five are not.
  const tookMs = [];
  for (let n = 0; n < 5; n++) tookMs.push((await waited(() => delay(200))).ms);
  t.ok(tookMs.toSorted((a, b) => a - b)[2]! > 150, tookMs.map(Math.round).join(' '));
  await t.rejects(
    waited(() => Promise.reject(new Error('as it was asked'))),
    { message: 'as it was asked' },
  );
});
