import t from 'tap';
import { runDriver } from './run-driver.js';

t.test('calendar turns words into a time', async (t) => {
  const done = await runDriver('calendar', { when: '2030-01-31 + 6 weeks', format: '+%F %A' });
  t.equal(done.code, 0, done.stderr);
  t.equal(done.stdout, '2030-03-14 Thursday\n');
});

t.test('calendar fails on words that mean no time', async (t) => {
  const done = await runDriver('calendar', { when: 'no such day', format: '+%F' });
  t.not(done.code, 0);
  t.equal(done.stdout, '');
  t.match(done.stderr, /invalid date/);
});
