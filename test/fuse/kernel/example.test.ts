import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { mountDirFor, cleanEnvironment } from '../../support/mount-child.js';
import { mkdirSync } from 'node:fs';

t.test('the filesystem in thirty lines of docs/fuse.md works as it stands', async (t) => {
  const top = join(import.meta.dirname, '../../../..');
  const document = await readFile(join(top, 'docs/fuse.md'), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(document)![1]!;
  const library = pathToFileURL(join(top, 'dist/lib/fuse/kernel/index.js')).href;
  const program = join(t.testdir({}), 'example.mjs');
  await writeFile(program, code.replace('acheron/fuse/kernel', library));
  const dir = mountDirFor(t);
  mkdirSync(dir);
  const child = spawn(process.execPath, [program, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: cleanEnvironment(),
  });
  await once(child.stdout, 'data');
  t.same(await readdir(dir), ['hello']);
  t.equal(await readFile(join(dir, 'hello'), 'utf8'), 'Hello from user space\n');
  await t.rejects(readFile(join(dir, 'other')), { code: 'ENOENT' });
  child.kill('SIGTERM');
  t.same(await once(child, 'exit'), [0, null]);
});
