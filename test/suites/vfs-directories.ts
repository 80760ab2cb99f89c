import type { Test } from 'tap';
import { codeOf, O, readText, type Access } from '../support/access.js';
import { MANY } from '../support/reference-tree.js';

export function testDirectories(t: Test, access: Access): void {
  t.test('a large directory lists each entry once', async (t) => {
    const names = await access.readdir('/many');
    t.equal(names.length, MANY);
    t.equal(new Set(names).size, MANY);
    t.equal(await readText(access, `/many/${names.at(-1)!}`), `${MANY - 1}\n`);
  });

  t.test('directories count their subdirectories, and go deep', async (t) => {
    t.equal((await access.stat('/deep')).nlink, 3);
    t.equal((await access.stat('/docs')).nlink, 2);
    const way = Array.from({ length: 20 }, (_, i) => `level-${i}`).join('/');
    t.equal(await readText(access, `/deep/${way}/bottom.txt`), 'bottom\n');
  });

  t.test('nothing can be created, renamed or removed in a fixed directory', async (t) => {
    const refused = /^(EPERM|EACCES)$/;
    t.match(await codeOf(access.open('/docs/new', O.write | O.create, 0o644)), refused);
    t.match(await codeOf(access.mkdir('/docs/new')), refused);
    t.match(await codeOf(access.symlink('hello.txt', '/docs/new')), refused);
    t.match(await codeOf(access.link('/docs/hello.txt', '/docs/new')), refused);
    t.match(await codeOf(access.unlink('/docs/hello.txt')), refused);
    t.match(await codeOf(access.rmdir('/docs')), refused);
    t.match(await codeOf(access.rename('/docs/hello.txt', '/docs/hallo.txt')), refused);
    t.match(await codeOf(access.rename('/docs/hello.txt', '/work/hello.txt')), refused);
    t.match(await codeOf(access.truncate('/docs/hello.txt', 0)), refused);
    t.match(await codeOf(access.chmod('/docs/hello.txt', 0o777)), refused);
    t.equal(await readText(access, '/docs/hello.txt'), 'hello\n', 'nothing has changed');
    t.notOk((await access.readdir('/docs')).includes('new'));
  });

  t.test('a file that is read-only cannot be opened to write, by root either', async (t) => {
    t.equal((await access.stat('/README.md')).mode & 0o222, 0);
    t.equal(await codeOf(access.open('/README.md', O.write)), 'EACCES');
    t.equal(await codeOf(access.open('/README.md', O.both | O.append)), 'EACCES');
    t.equal(await codeOf(access.open('/README.md', O.write | O.truncate)), 'EACCES');
    t.match(await readText(access, '/README.md'), /^# A tree\n/);
  });

  t.test('the file system reports its block size and the longest name', async (t) => {
    t.ok((await access.statfs('/')).blockSize >= 512);
  });
}
