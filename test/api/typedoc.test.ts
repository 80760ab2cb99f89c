import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import t from 'tap';

const top = resolve(import.meta.dirname, '../../..');

t.setTimeout(300_000);

t.test('everything that the library shows is documented, and its pages are made without a warning', (t) => {
  const typedoc = join(top, 'node_modules/typedoc/bin/typedoc');
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [typedoc, '--emit', 'none', '--skipErrorChecking'],
    { cwd: top, encoding: 'utf8' },
  );
  t.equal(status, 0, `${stdout}${stderr}`);
  t.end();
});
