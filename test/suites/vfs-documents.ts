import type { Test } from 'tap';
import { codeOf, O, readAll, readText, readToEnd, writeText, type Access } from '../support/access.js';
import type { VfsSupports } from './vfs-suite.js';

const poke = (access: Access, line: string): Promise<void> =>
  writeText(access, '/control/poke', line, O.write);

export function testDocuments(t: Test, access: Access, supports: VfsSupports): void {
  t.test('the size of every document equals the bytes that a read returns', async (t) => {
    for (const dir of ['', '/docs', '/names', '/deep/level-0']) {
      for (const name of await access.readdir(dir || '/')) {
        const path = `${dir}/${name}`;
        if (name.startsWith('broken') || (await access.lstat(path)).kind !== 'file') continue;
        const file = await access.open(path, O.read);
        const bytes = await readToEnd(file);
        t.equal((await file.stat()).size, bytes.length, path);
        await file.close();
      }
    }
  });

  t.test('a document that differs at each look is whole at each open', async (t) => {
    for (let i = 0; i < 60; i++) {
      const file = await access.open('/docs/restless.json', O.read);
      const { size } = await file.stat();
      const text = (await readToEnd(file)).toString();
      await file.close();
      t.equal(Buffer.byteLength(text), size);
      t.match(text, /^\{"look":"x*"\}\n$/);
    }
  });

  t.test('an open descriptor shows the document as it was at open', async (t) => {
    await poke(access, 'live {"before":true}\n');
    const before = await access.open('/docs/live.json', O.read);
    t.equal((await before.read(0, 4)).toString(), '{"be');
    await poke(access, 'live {"afterwards":"and longer"}\n');
    const after = await access.open('/docs/live.json', O.read);
    t.equal((await after.stat()).size, 28);
    t.equal((await readToEnd(after)).toString(), '{"afterwards":"and longer"}\n');
    t.equal((await readToEnd(before)).toString(), '{"before":true}\n');
    if (supports.statPerDescriptor) t.equal((await before.stat()).size, 16);
    await before.close();
    await after.close();
  });

  t.test('mtime changes when, and only when, content does', async (t) => {
    await poke(access, 'live one\n');
    const first = await access.stat('/docs/live.json');
    await readAll(access, '/docs/live.json');
    t.equal((await access.stat('/docs/live.json')).mtimeNs, first.mtimeNs, 'a read is no change');
    await poke(access, 'live one\n');
    t.equal((await access.stat('/docs/live.json')).mtimeNs, first.mtimeNs, 'the same again is no change');
    await poke(access, 'live two\n');
    t.ok((await access.stat('/docs/live.json')).mtimeNs > first.mtimeNs, 'another content is');
  });

  t.test('an announced change is seen by the next look, stat and open alike', async (t) => {
    for (let i = 0; i < 10; i++) {
      const text = `content ${'#'.repeat(i)}\n`;
      await poke(access, `announced ${text}`);
      t.equal((await access.stat('/docs/announced.txt')).size, text.length);
      t.equal(await readText(access, '/docs/announced.txt'), text);
    }
  });

  t.test('any part can be read; past the end there is nothing', async (t) => {
    const whole = Buffer.from('0123456789abcdef'.repeat(40_000));
    const file = await access.open('/docs/large.bin', O.read);
    for (const [at, size] of [
      [0, 1],
      [15, 4096],
      [4095, 2],
      [131_071, 131_074],
      [639_990, 100],
      [640_000, 10],
      [10_000_000, 10],
    ] as const)
      t.ok((await file.read(at, size)).equals(whole.subarray(at, at + size)), `${size} bytes from ${at}`);
    await file.close();
    t.equal(Buffer.compare(await readAll(access, '/docs/large.bin'), whole), 0);
    t.equal((await readAll(access, '/docs/empty.txt')).length, 0);
  });

  t.test('a document that comes later reads like any other', async (t) => {
    t.equal(await readText(access, '/docs/later.txt'), 'later\n');
    t.equal((await access.stat('/docs/later.txt')).size, 6);
  });

  t.test('inode numbers are stable, and each thing has its own', async (t) => {
    const paths = [
      '/',
      '/README.md',
      '/docs',
      '/docs/hello.txt',
      '/docs/live.json',
      '/stream.ndjson',
      '/link',
    ];
    const first = await Promise.all(paths.map(async (path) => (await access.lstat(path)).ino));
    const again = await Promise.all(paths.map(async (path) => (await access.lstat(path)).ino));
    t.same(again, first);
    t.equal(new Set(first).size, paths.length);
    const file = await access.open('/docs/live.json', O.read);
    t.equal((await file.stat()).ino, first[4], 'a descriptor has the number of its path');
    await file.close();
  });

  t.test('what fails gives its errno, and what is unexpected EIO; neighbours are not harmed', async (t) => {
    for (const [name, code] of [
      ['EHOSTDOWN', 'EHOSTDOWN'],
      ['EACCES', 'EACCES'],
      ['type-error', 'EIO'],
      ['text', 'EIO'],
    ] as const) {
      await poke(access, `fail ${name}`);
      for (const path of ['/broken', '/broken-later']) {
        t.equal(await codeOf(access.open(path, O.read)), code, `opening ${path} after ${name}`);
        t.equal(await codeOf(access.stat(path)), code, `stat ${path} after ${name}`);
      }
      t.equal(await readText(access, '/docs/hello.txt'), 'hello\n');
    }
    t.equal(await codeOf(access.open('/control/picky', O.write).then((file) => file.close())), null);
    await poke(access, 'fail ECANCELED');
    t.equal(await codeOf(writeText(access, '/control/picky', 'x', O.write)), 'ECANCELED');
  });

  t.test('many readers at once each read their own', async (t) => {
    const paths = Array.from({ length: 64 }, (_, i) => `/many/entry-${String(i * 7).padStart(5, '0')}`);
    const texts = await Promise.all(paths.map((path) => readText(access, path)));
    t.same(
      texts,
      paths.map((_, i) => `${i * 7}\n`),
    );
    const same = await Promise.all(Array.from({ length: 32 }, () => readText(access, '/docs/hello.txt')));
    t.ok(same.every((text) => text === 'hello\n'));
  });
}
