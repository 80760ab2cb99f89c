import t from 'tap';
import { runDriver } from './run-driver.js';

t.test('system-info returns the facts asked for, and no others', async (t) => {
  const done = await runDriver('system-info', { facts: ['memory', 'load'] });
  const facts = JSON.parse(done.stdout) as Record<string, Record<string, number>>;
  t.same(Object.keys(facts), ['taken_at', 'memory', 'load']);
  t.ok(facts['memory']!['total_bytes']! >= facts['memory']!['available_bytes']!);
});

t.test('system-info without facts returns all, the root disk among them', async (t) => {
  const done = await runDriver('system-info', {});
  const facts = JSON.parse(done.stdout) as { disks: { mounted_at: string }[] };
  t.same(Object.keys(facts), ['taken_at', 'os', 'cpu', 'memory', 'disks', 'load', 'uptime']);
  t.ok(facts.disks.some((disk) => disk.mounted_at === '/'));
});

for (const facts of [['users'], ['__proto__'], 'cpu', [1]])
  t.test(`system-info refuses facts ${JSON.stringify(facts)}`, async (t) => {
    const done = await runDriver('system-info', { facts });
    t.equal(done.code, 2);
    t.equal(done.stdout, '');
    t.match(done.stderr, /^system-info: /);
  });
