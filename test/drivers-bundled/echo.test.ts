import t from 'tap';
import { runDriver } from './run-driver.js';

t.test('echo returns the payload digit for digit', async (t) => {
  const payload = '{"big":12345678901234567890,"tiny":1e-400,"__proto__":{"a":1},"text":"ü€😀"}';
  const done = await runDriver('echo', {}, ` ${payload}\n`);
  t.equal(done.code, 0);
  t.ok(done.stdout.includes(`"echo":${payload}`), done.stdout);
  t.match(JSON.parse(done.stdout), { ok: true });
});

t.test('echo takes a payload of several megabytes', async (t) => {
  const payload = { text: 'x'.repeat(5_000_000) };
  const done = await runDriver('echo', payload);
  t.same((JSON.parse(done.stdout) as { echo: unknown }).echo, payload);
});

for (const bad of ['', '[]', '"text"', '{', '{} {}', '{"a":}'])
  t.test(`echo refuses ${JSON.stringify(bad)}`, async (t) => {
    const done = await runDriver('echo', {}, bad);
    t.equal(done.code, 2);
    t.equal(done.stdout, '');
    t.match(done.stderr, /^echo: /);
  });
