import { join } from 'node:path';
import t from 'tap';
import { resolveExecutable } from '../../lib/drivers/native-proc/executable.js';
import { programOnPath } from '../../lib/fuse/mounting/fuse-device.js';
import { placesOnPath } from '../../lib/linux/index.js';
import { findProgram } from '../../lib/registry/driver-files.js';

t.test('a program is looked up in the order of PATH, never below the working directory', async (t) => {
  t.same(placesOnPath('sh', '/usr/bin:/bin/::.:bin:/'), ['/usr/bin/sh', '/bin/sh', '/sh']);
  t.same(placesOnPath('sh', ''), []);
});

t.test('each way to look a program up finds the same', async (t) => {
  const path = process.env['PATH'] ?? '';
  const found = programOnPath('sh');
  t.equal(found, resolveExecutable('sh', path));
  t.equal(found, await findProgram('sh', path));
  const relative = join('.', 'no-such-folder');
  t.throws(() => resolveExecutable('sh', relative), { code: 'EIO' });
  await t.rejects(findProgram('sh', relative), { code: 'ENOENT' });
});
