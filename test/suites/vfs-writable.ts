import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { codeOf, O, readAll, readText, readToEnd, writeText, type Access } from '../support/access.js';
import type { VfsSupports } from './vfs-suite.js';

let folders = 0;

export function testWritable(t: Test, access: Access, supports: VfsSupports): void {
  /** A test with a directory of its own. */
  const test = (title: string, body: (t: Test, dir: string) => Promise<void>): void =>
    void t.test(title, async (t) => {
      const dir = `/work/folder-${folders++}`;
      await access.mkdir(dir);
      await body(t, dir);
    });

  test('files are created, exclusively where asked, and read back', async (t, dir) => {
    await writeText(access, `${dir}/a`, 'content');
    t.equal(await readText(access, `${dir}/a`), 'content');
    t.same(await access.readdir(dir), ['a']);
    t.equal(await codeOf(access.open(`${dir}/a`, O.write | O.create | O.exclusive)), 'EEXIST');
    const fresh = await access.open(`${dir}/b`, O.both | O.create | O.exclusive, 0o600);
    await fresh.write(0, Buffer.from('xyz'));
    t.equal((await fresh.read(1, 5)).toString(), 'yz');
    t.equal((await fresh.stat()).mode, 0o600);
    await fresh.close();
    t.equal(await codeOf(access.open(`${dir}/none/b`, O.write | O.create)), 'ENOENT');
    t.equal(await codeOf(access.mkdir(`${dir}/a`)), 'EEXIST');
  });

  test('writes land where they are made, holes read as zeros', async (t, dir) => {
    const file = await access.open(`${dir}/sparse`, O.both | O.create);
    await file.write(3_000_000, Buffer.from('far'));
    await file.write(10, Buffer.from('near'));
    t.equal((await file.stat()).size, 3_000_003);
    await file.sync();
    await file.close();
    const bytes = await readAll(access, `${dir}/sparse`);
    t.equal(bytes.length, 3_000_003);
    t.equal(bytes.subarray(10, 14).toString(), 'near');
    t.equal(bytes.subarray(3_000_000).toString(), 'far');
    t.equal(
      bytes.subarray(14, 3_000_000).findIndex((byte) => byte !== 0),
      -1,
    );
  });

  test('large writes arrive whole', async (t, dir) => {
    const bytes = randomBytes(1_500_001);
    const file = await access.open(`${dir}/large`, O.write | O.create);
    for (let at = 0; at < bytes.length;) at += await file.write(at, bytes.subarray(at));
    await file.close();
    t.equal(Buffer.compare(await readAll(access, `${dir}/large`), bytes), 0);
  });

  test('O_APPEND writes at the end, also when others do', async (t, dir) => {
    await writeText(access, `${dir}/log`, 'start\n');
    const files = await Promise.all(
      Array.from({ length: 8 }, () => access.open(`${dir}/log`, O.write | O.append)),
    );
    for (let round = 0; round < 5; round++)
      for (const [i, file] of files.entries()) await file.write(0, Buffer.from(`${round}:${i}\n`));
    await Promise.all(files.map((file) => file.close()));
    const lines = (await readText(access, `${dir}/log`)).split('\n');
    t.equal(lines.length, 8 * 5 + 2);
    t.equal(lines[0], 'start');
    t.equal(lines.at(-2), '4:7');
  });

  test('O_TRUNC and truncate cut, and truncate lengthens with zeros', async (t, dir) => {
    await writeText(access, `${dir}/f`, 'a long content');
    await writeText(access, `${dir}/f`, 'short');
    t.equal(await readText(access, `${dir}/f`), 'short');
    await access.truncate(`${dir}/f`, 2);
    t.equal(await readText(access, `${dir}/f`), 'sh');
    const file = await access.open(`${dir}/f`, O.both);
    await file.truncate(5);
    t.equal((await readToEnd(file)).toString('latin1'), 'sh\0\0\0');
    await file.truncate(0);
    t.equal((await file.stat()).size, 0);
    await file.close();
    t.equal((await access.stat(`${dir}/f`)).size, 0);
  });

  test('rename moves and replaces; what cannot be is refused', async (t, dir) => {
    await writeText(access, `${dir}/a`, 'a');
    await writeText(access, `${dir}/b`, 'b');
    await access.mkdir(`${dir}/d`);
    await access.mkdir(`${dir}/full`);
    await writeText(access, `${dir}/full/x`, 'x');
    const ino = (await access.stat(`${dir}/a`)).ino;
    await access.rename(`${dir}/a`, `${dir}/b`);
    t.equal(await readText(access, `${dir}/b`), 'a');
    t.equal((await access.stat(`${dir}/b`)).ino, ino, 'it is the same file');
    t.equal(await codeOf(access.stat(`${dir}/a`)), 'ENOENT');
    await access.rename(`${dir}/b`, `${dir}/d/c`);
    t.equal(await readText(access, `${dir}/d/c`), 'a');
    t.equal(await codeOf(access.rename(`${dir}/d`, `${dir}/d/inside`)), 'EINVAL');
    t.match(await codeOf(access.rename(`${dir}/d`, `${dir}/full`)), /^(ENOTEMPTY|EEXIST)$/);
    t.equal(await codeOf(access.rename(`${dir}/d/c`, `${dir}/full`)), 'EISDIR');
    t.equal(await codeOf(access.rename(`${dir}/d`, `${dir}/full/x`)), 'ENOTDIR');
    t.equal(await codeOf(access.rename(`${dir}/none`, `${dir}/x`)), 'ENOENT');
    await access.rename(`${dir}/d`, `${dir}/moved`);
    t.equal(await readText(access, `${dir}/moved/c`), 'a');
  });

  test('a file replaced while open keeps its content for programs that have it open', async (t, dir) => {
    await writeText(access, `${dir}/old`, 'old');
    await writeText(access, `${dir}/new`, 'new');
    const file = await access.open(`${dir}/old`, O.read);
    await access.rename(`${dir}/new`, `${dir}/old`);
    t.equal((await readToEnd(file)).toString(), 'old');
    t.equal(await readText(access, `${dir}/old`), 'new');
    t.same(await access.readdir(dir), ['old'], 'nothing else is left');
    await file.close();
  });

  test('a file removed while open can be read, written and measured until it is closed', async (t, dir) => {
    await writeText(access, `${dir}/gone`, 'still here');
    const file = await access.open(`${dir}/gone`, O.both);
    await access.unlink(`${dir}/gone`);
    t.same(await access.readdir(dir), []);
    t.equal(await codeOf(access.stat(`${dir}/gone`)), 'ENOENT');
    t.equal((await readToEnd(file)).toString(), 'still here');
    await file.write(10, Buffer.from('!'));
    t.equal((await file.stat()).size, 11);
    await file.truncate(5);
    t.equal((await file.stat()).size, 5);
    await writeText(access, `${dir}/gone`, 'another');
    t.equal((await readToEnd(file)).toString(), 'still');
    await file.close();
    t.equal(await readText(access, `${dir}/gone`), 'another');
    await access.unlink(`${dir}/gone`);
    await access.rmdir(dir);
  });

  test('directories are removed when empty', async (t, dir) => {
    await writeText(access, `${dir}/f`, '');
    t.match(await codeOf(access.rmdir(dir)), /^(ENOTEMPTY|EEXIST)$/);
    t.equal(await codeOf(access.rmdir(`${dir}/f`)), 'ENOTDIR');
    t.match(await codeOf(access.unlink(dir)), /^(EISDIR|EPERM)$/);
    const file = await access.open(`${dir}/f`, O.both);
    await access.unlink(`${dir}/f`);
    await access.rmdir(dir);
    t.equal(await codeOf(access.stat(dir)), 'ENOENT');
    if (supports.orphans) {
      await file.write(0, Buffer.from('orphan'));
      t.equal((await readToEnd(file)).toString(), 'orphan');
    }
    await file.close();
  });

  test('modes and times can be set, and hold', async (t, dir) => {
    await writeText(access, `${dir}/f`, 'x');
    await access.utimes(`${dir}/f`, 1_111_111_000, 2_222_222_000);
    const stat = await access.stat(`${dir}/f`);
    t.equal(stat.atimeNs, 1_111_111_000_000_000n);
    t.equal(stat.mtimeNs, 2_222_222_000_000_000n);
    await access.chmod(`${dir}/f`, 0o444);
    t.equal((await access.stat(`${dir}/f`)).mode, 0o444);
    if (supports.modesHoldForRoot) {
      t.equal(await codeOf(access.open(`${dir}/f`, O.write)), 'EACCES');
      t.equal(await codeOf(access.access(`${dir}/f`, 2)), 'EACCES');
    }
    const file = await access.open(`${dir}/f`, O.read);
    await file.chmod(0o640);
    await file.close();
    t.equal((await access.stat(`${dir}/f`)).mode, 0o640);
    await access.chmod(dir, 0o555);
    if (supports.modesHoldForRoot)
      t.equal(await codeOf(access.open(`${dir}/g`, O.write | O.create)), 'EACCES');
  });

  test('symbolic links can be made', async (t, dir) => {
    await writeText(access, `${dir}/f`, 'through');
    await access.symlink('f', `${dir}/l`);
    t.equal(await readText(access, `${dir}/l`), 'through');
    await access.unlink(`${dir}/l`);
    t.equal(await readText(access, `${dir}/f`), 'through');
  });

  if (supports.hardLinks)
    test('hard links name the same file', async (t, dir) => {
      await writeText(access, `${dir}/a`, 'one');
      await access.link(`${dir}/a`, `${dir}/b`);
      t.equal((await access.stat(`${dir}/b`)).nlink, 2);
      t.equal((await access.stat(`${dir}/b`)).ino, (await access.stat(`${dir}/a`)).ino);
      await writeText(access, `${dir}/b`, 'both');
      t.equal(await readText(access, `${dir}/a`), 'both');
      await access.unlink(`${dir}/a`);
      t.equal(await readText(access, `${dir}/b`), 'both');
      t.equal((await access.stat(`${dir}/b`)).nlink, 1);
      t.equal(await codeOf(access.link(dir, `${dir}/c`)), 'EPERM');
    });

  if (supports.xattrs)
    test('extended attributes are kept', async (t, dir) => {
      await writeText(access, `${dir}/f`, '');
      await access.setxattr(`${dir}/f`, 'user.one', 'first value');
      await access.setxattr(`${dir}/f`, 'user.two', '');
      t.equal(await access.getxattr(`${dir}/f`, 'user.one'), 'first value');
      t.equal(await access.getxattr(`${dir}/f`, 'user.two'), '');
      t.same([...(await access.listxattr(`${dir}/f`))].sort(), ['user.one', 'user.two']);
      t.equal(await codeOf(access.setxattr(`${dir}/f`, 'user.one', 'x', 1)), 'EEXIST');
      t.equal(await codeOf(access.setxattr(`${dir}/f`, 'user.three', 'x', 2)), 'ENODATA');
      await access.removexattr(`${dir}/f`, 'user.one');
      t.equal(await codeOf(access.getxattr(`${dir}/f`, 'user.one')), 'ENODATA');
      t.equal(await codeOf(access.setxattr('/README.md', 'user.one', 'x')), 'EOPNOTSUPP');
    });

  if (supports.renameFlags)
    test('rename can spare what is there, and exchange', async (t, dir) => {
      await writeText(access, `${dir}/a`, 'a');
      await writeText(access, `${dir}/b`, 'b');
      t.equal(await codeOf(access.rename(`${dir}/a`, `${dir}/b`, 1)), 'EEXIST');
      await access.rename(`${dir}/a`, `${dir}/c`, 1);
      await access.rename(`${dir}/b`, `${dir}/c`, 2);
      t.equal(await readText(access, `${dir}/b`), 'a');
      t.equal(await readText(access, `${dir}/c`), 'b');
      t.equal(await codeOf(access.rename(`${dir}/b`, `${dir}/none`, 2)), 'ENOENT');
    });

  test('many writers to files of their own do not meet', async (t, dir) => {
    await Promise.all(
      Array.from({ length: 24 }, (_, i) => writeText(access, `${dir}/f${i}`, `${i}`.repeat(1000))),
    );
    const texts = await Promise.all(Array.from({ length: 24 }, (_, i) => readText(access, `${dir}/f${i}`)));
    t.same(
      texts,
      Array.from({ length: 24 }, (_, i) => `${i}`.repeat(1000)),
    );
  });
}
