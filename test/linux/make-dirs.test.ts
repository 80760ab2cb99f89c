import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDirs } from '../../lib/linux/index.js';
import { temporaryDir } from '../support/test-node.js';

t.test('what is missing is made with its mode, what is there is left as it is', async (t) => {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'a'));
  chmodSync(join(dir, 'a'), 0o755);
  makeDirs(join(dir, 'a/b/c'), 0o700);
  t.strictSame(
    ['a', 'a/b', 'a/b/c'].map((path) => statSync(join(dir, path)).mode & 0o777),
    [0o755, 0o700, 0o700],
  );
  makeDirs(join(dir, 'a/b/c'));
  symlinkSync(join(dir, 'a'), join(dir, 'link'));
  makeDirs(join(dir, 'link/d'));
  t.ok(statSync(join(dir, 'a/d')).isDirectory(), 'a link to a directory is one');
});

t.test('where it cannot be made it fails, and always ends', async (t) => {
  const dir = temporaryDir(t);
  writeFileSync(join(dir, 'file'), '');
  symlinkSync('nowhere', join(dir, 'dangling'));
  t.throws(() => makeDirs(join(dir, 'file')), { code: 'EEXIST' });
  t.throws(() => makeDirs(join(dir, 'file/below')), { code: 'ENOTDIR' });
  t.throws(() => makeDirs(join(dir, 'dangling')), { code: 'ENOENT' });
  t.throws(() => makeDirs('/proc/none/below'), { code: 'ENOENT' }, 'a file system that makes none');
});
