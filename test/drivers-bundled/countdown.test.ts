import { once } from 'node:events';
import t from 'tap';
import { ended, runDriver, startDriver } from './run-driver.js';

t.test('countdown says how much is left and returns its message', async (t) => {
  const done = await runDriver('countdown', { seconds: 0.2, every_seconds: 0.1, message: 'now' });
  t.equal(done.code, 0);
  const lines = done.stderr.trimEnd().split('\n');
  const mark = '::progress ';
  const words = lines.filter((line) => !line.startsWith(mark));
  t.match(words.join(' '), /^countdown: 0\.2 s left (countdown: 0\.\d s left )*countdown: done$/);
  const progress = lines.filter((line) => line.startsWith(mark));
  const said = progress.map((line) => JSON.parse(line.slice(mark.length)) as { done: number; total: number });
  t.match(said[0], { done: 0, total: 0.2, message: '0.2 s left' });
  t.match(said.at(-1), { done: 0.2, total: 0.2, message: '0.0 s left' });
  const result = JSON.parse(done.stdout) as { message: string; waited_ms: number };
  t.equal(result.message, 'now');
  t.ok(result.waited_ms >= 199, `${result.waited_ms}`);
});

t.test('countdown waits until a time', async (t) => {
  const done = await runDriver('countdown', { until: new Date(Date.now() + 50).toISOString() });
  t.equal(done.code, 0, done.stderr);
  t.match(JSON.parse(done.stdout), { message: 'Time is up.' });
});

t.test('countdown ends at once on SIGTERM, with a last word and no result', async (t) => {
  const child = startDriver('countdown', {});
  child.stdin.end('{"seconds":600}');
  const end = ended(child);
  await once(child.stderr, 'data');
  child.kill('SIGTERM');
  const done = await end;
  t.equal(done.code, 143);
  t.equal(done.stdout, '');
  t.match(done.stderr, /stopped with (600\.0|599\.\d) s left\n$/);
});

const bad = [
  {},
  { seconds: -1 },
  { seconds: '3' },
  { seconds: 1e9 },
  { seconds: 1, until: '2030-01-01T00:00:00Z' },
  { until: 'soon' },
  { until: '2999-01-01T00:00:00Z' },
  { seconds: 1, every_seconds: 0 },
];
for (const payload of bad)
  t.test(`countdown refuses ${JSON.stringify(payload)}`, async (t) => {
    const done = await runDriver('countdown', payload);
    t.equal(done.code, 2);
    t.match(done.stderr, /^countdown: .*\n$/);
  });
