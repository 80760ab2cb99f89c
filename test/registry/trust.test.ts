import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TrustCheck } from '../../lib/drivers/index.js';
import { othersMayWrite } from '../support/safe-place.js';
import { entryOf, folderOf, idsOf, manifest, started } from './support.js';

const skip = othersMayWrite;

t.test(
  'a services directory that others may write to is refused, unless writable ones are trusted',
  { skip },
  async (t) => {
    const folder = folderOf(t, { 'a.json': manifest('a') });
    for (const mode of [0o777, 0o757, 0o1777, 0o2775]) {
      chmodSync(folder, mode);
      await t.rejects(started(t, { servicesDirs: [folder], trustWritable: false }), {
        code: 'EINVAL',
        message: /manifests may be written by .* Run "chmod go-w .*--trust-writable/,
      });
    }
    const trusting = await started(t, { servicesDirs: [folder], trustWritable: true });
    t.equal(trusting.services.size, 1);
    chmodSync(folder, 0o755);
    const registry = await started(t, { servicesDirs: [folder], trustWritable: false });
    chmodSync(folder, 0o777);
    writeFileSync(join(folder, 'b.json'), manifest('b'));
    await registry.reload();
    t.same(idsOf(registry.services.values()), ['a'], 'what it gave stays, what came since is not taken');
    t.match(registry.diagnostics()['services_dirs'], [{ state: 'refused' }]);
  },
);

t.test('a manifest or driver that others may write to is refused', { skip }, async (t) => {
  const runs = (path: string) => manifest('x', { runtime: { type: 'native_proc', executable_path: path } });
  const folder = folderOf(t, {
    'a.json': manifest('a'),
    'b.json': runs('./driver.sh').replace('"x"', '"b"'),
    'c.json': manifest('c', {
      runtime: { type: 'native_proc', executable_path: '/bin/sh', args: ['-e', 'script.sh'] },
    }),
    'driver.sh': '#!/bin/sh\n',
    'script.sh': '',
  });
  chmodSync(join(folder, 'a.json'), 0o646);
  chmodSync(join(folder, 'driver.sh'), 0o777);
  chmodSync(join(folder, 'script.sh'), 0o666);
  const registry = await started(t, { servicesDirs: [folder], trustWritable: false });
  t.equal(registry.services.size, 0);
  t.match(entryOf(registry, 'a.json')['faults'], [
    { message: /a\.json may be written by every user \(mode 0646\)/ },
  ]);
  t.match(entryOf(registry, 'b.json')['faults'], [
    { pointer: '/runtime/executable_path', message: /cannot be trusted: .*driver\.sh may be written/ },
  ]);
  t.match(entryOf(registry, 'c.json')['faults'], [{ pointer: '/runtime/args/1' }]);
  chmodSync(join(folder, 'a.json'), 0o644);
  chmodSync(join(folder, 'driver.sh'), 0o755);
  chmodSync(join(folder, 'script.sh'), 0o644);
  await registry.reload();
  t.same(idsOf(registry.services.values()), ['a', 'b', 'c']);
});

t.test('who could swap a folder above could change a file too', { skip }, async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a') });
  const trust = () => new TrustCheck();
  const inner = join(folder, 'sub');
  mkdirSync(inner);
  writeFileSync(join(inner, 'x.json'), '{}');
  t.equal(trust().file(join(inner, 'x.json')), null);
  chmodSync(folder, 0o777);
  t.match(trust().file(join(inner, 'x.json')), { message: /manifests may be written by every user/ });
  chmodSync(folder, 0o1777);
  t.equal(trust().file(join(inner, 'x.json')), null, 'a sticky bit keeps others from renaming it');
  chmodSync(folder, 0o755);
  symlinkSync(join(inner, 'x.json'), join(folder, 'link.json'));
  chmodSync(join(inner, 'x.json'), 0o666);
  t.match(trust().file(join(folder, 'link.json')), { message: /x\.json may be written/ });
});

t.test(
  'who owns a file could change it too, but for the user who runs it',
  { skip: process.geteuid?.() === 0 ? skip : 'only root can give a file away' },
  async (t) => {
    const file = join(folderOf(t, { 'x.json': '{}' }), 'x.json');
    chmodSync(file, 0o644);
    chownSync(file, 12345, 12345);
    t.match(new TrustCheck().file(file), { message: /belongs to user 12345/, hint: /chown 0 / });
    const own = new TrustCheck({ uid: 12345, gid: 12345 });
    chmodSync(file, 0o664);
    t.equal(own.file(file), null, "a group that is the user's own is no other user");
    t.match(new TrustCheck().file(file), { message: /belongs to user/ });
  },
);
