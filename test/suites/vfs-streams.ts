import type { Test } from 'tap';
import { O, readText, readToEnd, writeText, type Access } from '../support/access.js';

const poke = (access: Access, line: string): Promise<void> =>
  writeText(access, '/control/poke', line, O.write);

export function testStreams(t: Test, access: Access): void {
  t.test('a stream grows at its end under an open descriptor, so that tail -f follows it', async (t) => {
    await poke(access, 'rotate');
    await poke(access, 'grow one\n');
    const file = await access.open('/stream.ndjson', O.read);
    t.equal((await readToEnd(file)).toString(), 'one\n');
    t.equal((await file.stat()).size, 4);
    let at = 4;
    for (const line of ['two\n', 'three\n', `${'long'.repeat(5000)}\n`]) {
      await poke(access, `grow ${line}`);
      t.equal((await file.stat()).size, at + line.length);
      t.equal((await readToEnd(file, at)).toString(), line);
      at += line.length;
    }
    t.equal((await access.stat('/stream.ndjson')).size, at);
    await file.close();
  });

  t.test(
    'after a rotation the path names a new inode, and the old descriptor keeps the old stream',
    async (t) => {
      await poke(access, 'grow old\n');
      const before = await access.stat('/stream.ndjson');
      const file = await access.open('/stream.ndjson', O.read);
      await poke(access, 'rotate');
      await poke(access, 'grow new\n');
      t.not((await access.stat('/stream.ndjson')).ino, before.ino);
      t.equal(await readText(access, '/stream.ndjson'), 'new\n');
      t.match((await readToEnd(file)).toString(), /old\n$/);
      await file.close();
    },
  );
}
