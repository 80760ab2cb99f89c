import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runDriver } from './run-driver.js';

interface Usage {
  path: string;
  bytes: number;
  entries: number;
  truncated: boolean;
  largest: { name: string; kind: string; bytes: number }[];
}

t.test(
  'disk-usage lists the entries of a directory, the largest first, whatever they are called',
  async (t) => {
    const folder = t.testdir({ small: 'x', big: { inner: 'y'.repeat(200_000) } });
    const names = [
      '-rf',
      'new\nline',
      'quo"te\\',
      'tab\there',
      '.hidden',
      '..dots',
      'grüße €😀',
      '$(id)',
      ' ',
    ];
    for (const name of names) await writeFile(join(folder, name), '');
    await writeFile(Buffer.concat([Buffer.from(`${folder}/bad`), Buffer.from([0xff, 0xed, 0xa0, 0x80])]), '');
    await symlink('nowhere', join(folder, 'dangling'));
    const done = await runDriver('disk-usage', { path: folder });
    t.equal(done.code, 0, done.stderr);
    const usage = JSON.parse(done.stdout) as Usage;
    t.equal(usage.path, folder);
    t.equal(usage.largest[0]!.name, 'big');
    t.ok(usage.bytes >= 200_000);
    const found = usage.largest.map((entry) => entry.name);
    t.same(
      found.toSorted(),
      [...names, 'small', 'big', 'dangling', 'bad\ufffd\ufffd\ufffd\ufffd'].toSorted(),
    );
    t.equal(usage.largest.find((entry) => entry.name === 'dangling')!.kind, 'symlink');
  },
);

t.test('disk-usage takes an empty directory', async (t) => {
  const folder = join(t.testdir(), 'empty');
  await mkdir(folder);
  const done = await runDriver('disk-usage', { path: folder });
  t.match(JSON.parse(done.stdout), { entries: 0, truncated: false, largest: [] });
});

for (const path of ['relative', '/no/such/directory', '/etc/passwd', ''])
  t.test(`disk-usage refuses ${JSON.stringify(path)}`, async (t) => {
    const done = await runDriver('disk-usage', { path });
    t.equal(done.code, 2);
    t.equal(done.stdout, '');
    t.match(done.stderr, /^disk-usage: /);
  });
