import type { Test } from 'tap';
import { codeOf, O, readText, type Access } from '../support/access.js';
import { ODD_NAMES } from '../support/reference-tree.js';

export function testNames(t: Test, access: Access): void {
  t.test('names may be anything that UTF-8 carries, and come back byte for byte', async (t) => {
    const listed = await access.readdir('/names');
    t.same([...listed].sort(), [...ODD_NAMES].sort());
    for (const name of ODD_NAMES) t.equal(await readText(access, `/names/${name}`), name);
  });

  t.test('names that JavaScript objects have of their own are not found by accident', async (t) => {
    for (const name of [
      '__proto__',
      'constructor',
      'hasOwnProperty',
      'toString',
      '__defineGetter__',
      'length',
    ])
      for (const dir of ['', '/docs', '/many', '/work'])
        t.equal(await codeOf(access.lstat(`${dir}/${name}`)), 'ENOENT', `${dir}/${name}`);
  });

  t.test('what is not there, is below a file, or too long, is refused by its errno', async (t) => {
    t.equal(await codeOf(access.stat('/nothing')), 'ENOENT');
    t.equal(await codeOf(access.stat('/nothing/below')), 'ENOENT');
    t.equal(await codeOf(access.open('/docs/nothing', O.read)), 'ENOENT');
    t.equal(await codeOf(access.stat('/docs/hello.txt/below')), 'ENOTDIR');
    t.equal(await codeOf(access.readdir('/docs/hello.txt')), 'ENOTDIR');
    t.equal(await codeOf(access.open('/docs', O.write)), 'EISDIR');
    t.match(await codeOf(access.stat(`/${'n'.repeat(256)}`)), /^ENAMETOOLONG$|^ENOENT$/);
    t.equal(await codeOf(access.stat('/names/a')), 'ENOENT', 'no prefix of a name');
    t.equal(await codeOf(access.stat('/readme.md')), 'ENOENT', 'no other case');
  });

  t.test('symbolic links lead where they say', async (t) => {
    t.equal(await access.readlink('/link'), 'docs/hello.txt');
    t.equal((await access.lstat('/link')).kind, 'symlink');
    t.equal((await access.lstat('/link')).size, 'docs/hello.txt'.length);
    t.equal(await readText(access, '/link'), 'hello\n');
    t.equal((await access.stat('/link')).ino, (await access.stat('/docs/hello.txt')).ino);
    t.equal(await codeOf(access.stat('/dangling')), 'ENOENT');
    t.equal(await codeOf(access.stat('/loop')), 'ELOOP');
    t.equal(await codeOf(access.readlink('/docs')), 'EINVAL');
  });
}
