import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { DirNode, FileNode } from '../../lib/vfs/index.js';
import { at, errno, exported, MODES, op, RO, RW, text } from './support/exported.js';

for (const { title, options } of MODES) {
  t.test(title, async (t) => {
    t.test('shows what is there', async (t) => {
      const [vfs, path] = await exported(t, options);
      fs.writeFileSync(join(path, 'file'), 'hello', { mode: 0o640 });
      fs.mkdirSync(join(path, 'dir'));
      fs.symlinkSync('/etc/passwd', join(path, 'link'));
      execFileSync('mkfifo', [join(path, 'pipe')]);
      const entries = [...(await vfs.root.list(op))].sort((a, b) => (a.name < b.name ? -1 : 1));
      t.same(
        entries.map(({ name, kind }) => [name, kind]),
        [
          ['dir', 'dir'],
          ['file', 'file'],
          ['link', 'symlink'],
          ['pipe', 'file'],
        ],
      );
      for (const { name, ino } of entries) t.equal((await at(vfs, name)).ino, ino, name);
      const host = fs.lstatSync(join(path, 'file'), { bigint: true });
      const stat = await (await at(vfs, 'file')).stat(op);
      t.match(stat, {
        kind: 'file',
        mode: 0o640,
        nlink: 1,
        size: 5,
        uid: Number(host.uid),
        gid: Number(host.gid),
        mtimeNs: host.mtimeNs,
        ctimeNs: host.ctimeNs,
      });
      t.ok(stat.ino >= 1n << 52n && stat.ino < 1n << 53n, 'numbers of exports have a space of their own');
      t.equal(await text(vfs, 'file'), 'hello');
      t.equal(await errno(async () => (await at<FileNode>(vfs, 'pipe')).open(RO, op)), 'ENXIO');
      t.equal(await errno(() => vfs.root.lookup('missing', op)), 'ENOENT');
      t.equal(await errno(async () => at(vfs, 'file/below')), 'ENOTDIR');
    });

    t.test('creates, writes at offsets, appends, truncates', async (t) => {
      const [vfs, path] = await exported(t, options);
      const { node, handle } = await vfs.root.create('f', { ...RW, exclusive: true }, 0o666, op);
      t.equal(fs.statSync(join(path, 'f')).mode & 0o777, 0o666, 'the umask of the node takes nothing away');
      t.equal(await handle.write(3, Buffer.from('def'), op), 3);
      t.equal(await handle.write(0, Buffer.from('abc'), op), 3);
      t.equal(Buffer.from(await handle.read(1, 100, op)).toString(), 'bcdef');
      t.equal((await handle.stat(op)).size, 6);
      const appender = await node.open({ ...RW, append: true }, op);
      await appender.write(0, Buffer.from('!'), op);
      t.equal(fs.readFileSync(join(path, 'f'), 'utf8'), 'abcdef!');
      t.equal((await handle.setattr({ size: 2 }, op)).size, 2);
      t.equal((await node.setattr({ size: 4 }, op)).size, 4);
      t.equal(fs.readFileSync(join(path, 'f'), 'utf8'), 'ab\0\0');
      await handle.fsync(false, op);
      await handle.fsync(true, op);
      await vfs.root.fsync(op);
      await handle.release();
      await appender.release();
      await (await node.open({ ...RW, truncate: true }, op)).release();
      t.equal(fs.statSync(join(path, 'f')).size, 0);
      t.equal(await errno(() => vfs.root.create('f', { ...RW, exclusive: true }, 0o666, op)), 'EEXIST');
      t.equal(await errno(() => handle.read(0, 1, op)), 'EBADF');
      t.equal(vfs.usage.openHandles, 0);
    });

    t.test('what is created over a file that was there is found as long as it then is', async (t) => {
      const [vfs, path] = await exported(t, options);
      fs.writeFileSync(join(path, 'f'), 'old');
      const kept = await vfs.root.create('f', RW, 0o666, op);
      t.equal(kept.node.cachedStat?.(op)?.size, 3);
      await kept.handle.release();
      const emptied = await vfs.root.create('f', { ...RW, truncate: true }, 0o666, op);
      t.equal(emptied.node.cachedStat?.(op)?.size, 0);
      await emptied.handle.release();
    });

    t.test('a file that was unlinked while open lives on for its descriptor', async (t) => {
      const [vfs, path] = await exported(t, options);
      fs.writeFileSync(join(path, 'f'), 'old');
      const node = await at<FileNode>(vfs, 'f');
      const handle = await node.open(RW, op);
      await vfs.root.unlink('f', op);
      t.equal(await errno(() => vfs.root.lookup('f', op)), 'ENOENT');
      fs.writeFileSync(join(path, 'f'), 'new');
      t.equal(Buffer.from(await handle.read(0, 10, op)).toString(), 'old');
      await handle.write(3, Buffer.from('er'), op);
      t.equal((await node.stat(op)).size, 5);
      t.equal((await node.stat(op)).nlink, 0);
      await node.setattr({ size: 1, mode: 0o600 }, op);
      const again = await node.open(RO, op);
      t.equal(Buffer.from(await again.read(0, 10, op)).toString(), 'o');
      await again.release();
      await handle.release();
      t.equal(await text(vfs, 'f'), 'new');
      t.not(await at(vfs, 'f'), node);
    });

    t.test('directories, links and renames', async (t) => {
      const [vfs, path] = await exported(t, options);
      const dir = await vfs.root.mkdir('dir', 0o777, op);
      t.equal(fs.statSync(join(path, 'dir')).mode & 0o777, 0o777);
      fs.writeFileSync(join(path, 'dir/a'), 'a');
      const a = await at<FileNode>(vfs, 'dir/a');
      t.equal(await vfs.root.link(a, 'b', op), a, 'both names are one node');
      t.equal((await a.stat(op)).nlink, 2);
      await dir.unlink('a', op);
      t.equal((await a.stat(op)).nlink, 1, 'it is found under its other name');
      const link = await dir.symlink('l', '../b', op);
      t.equal(await link.readlink(op), '../b');
      t.equal(await errno(() => dir.unlink('nothing', op)), 'ENOENT');
      t.equal(await errno(() => vfs.root.rmdir('dir', op)), 'ENOTEMPTY');
      t.equal(await errno(() => vfs.root.unlink('dir', op)), 'EISDIR');
      t.equal(await errno(() => vfs.root.rmdir('b', op)), 'ENOTDIR');
      t.equal(await errno(() => vfs.root.mkdir('dir', 0o777, op)), 'EEXIST');
      await vfs.root.rename('b', dir, 'c', 0, op);
      t.equal((await a.stat(op)).size, 1);
      await vfs.root.rename('dir', vfs.root, 'moved', 0, op);
      t.equal((await a.stat(op)).size, 1, 'what lies in a renamed directory is found');
      t.equal(await at(vfs, 'moved/c'), a);
      t.equal(await at(vfs, 'moved'), dir);
      t.equal(await errno(() => vfs.root.rename('moved', dir, 'inside', 0, op)), 'EINVAL');
      fs.writeFileSync(join(path, 'moved/over'), 'over');
      const over = await at<FileNode>(vfs, 'moved/over');
      await dir.rename('c', dir, 'over', 0, op);
      t.equal(await at(vfs, 'moved/over'), a);
      t.equal(await errno(() => over.stat(op)), 'ESTALE', 'what was renamed over is gone');
    });

    t.test('names are any text, and bytes that are none, and never a way elsewhere', async (t) => {
      const [vfs, path] = await exported(t, options);
      for (const name of [
        'ä ö',
        '\u{1f600}',
        'new\nline',
        '-rf',
        ' ',
        '\ufffd',
        '__proto__',
        'x'.repeat(255),
      ]) {
        const { handle } = await vfs.root.create(name, RW, 0o644, op);
        await handle.release();
        t.ok(fs.existsSync(join(path, name)), JSON.stringify(name));
        t.equal((await vfs.root.lookup(name, op)).kind, 'file');
      }
      t.equal((await vfs.root.list(op)).length, 8);
      fs.writeFileSync(Buffer.from(`${path}/bad\xff`, 'latin1'), '');
      t.ok((await vfs.root.list(op)).some(({ name }) => name === 'bad\udcff'));
      t.equal((await vfs.root.lookup('bad\udcff', op)).kind, 'file');
      t.equal(await errno(() => vfs.root.lookup('y'.repeat(256), op)), 'ENAMETOOLONG');
      for (const name of ['', '.', '..', '../x', 'a/b', '/etc', 'a\0b']) {
        t.equal(await errno(() => vfs.root.lookup(name, op)), 'EINVAL', JSON.stringify(name));
        t.equal(await errno(() => vfs.root.create(name, RW, 0o644, op)), 'EINVAL');
        t.equal(await errno(() => vfs.root.mkdir(name, 0o755, op)), 'EINVAL');
        t.equal(await errno(() => vfs.root.unlink(name, op)), 'EINVAL');
        t.equal(await errno(() => vfs.root.rmdir(name, op)), 'EINVAL');
        t.equal(await errno(() => vfs.root.symlink(name, 'x', op)), 'EINVAL');
        t.equal(await errno(() => vfs.root.rename(' ', vfs.root, name, 0, op)), 'EINVAL');
        t.equal(await errno(() => vfs.root.rename(name, vfs.root, 'z', 0, op)), 'EINVAL');
      }
    });

    t.test('a read-only export answers EROFS and shows no write bits', async (t) => {
      const [vfs, path] = await exported(t, { ...options, readOnly: true });
      fs.writeFileSync(join(path, 'f'), 'x', { mode: 0o666 });
      const node = await at<FileNode>(vfs, 'f');
      t.equal((await node.stat(op)).mode & 0o222, 0);
      const root = vfs.root;
      for (const [what, work] of Object.entries({
        open: () => node.open(RW, op),
        truncate: () => node.open({ ...RO, truncate: true }, op),
        access: () => node.access(2, op),
        setattr: () => node.setattr({ mode: 0o600 }, op),
        setxattr: () => node.setxattr('user.x', Buffer.from('x'), 0, op),
        create: () => root.create('g', RW, 0o644, op),
        mkdir: () => root.mkdir('g', 0o755, op),
        unlink: () => root.unlink('f', op),
        rename: () => root.rename('f', root, 'g', 0, op),
        link: () => root.link(node, 'g', op),
        symlink: () => root.symlink('g', 'f', op),
      }))
        t.equal(await errno(work), 'EROFS', what);
      t.equal(await text(vfs, 'f'), 'x');
      await node.access(4, op);
    });

    t.test('holes and offsets beyond 4 GiB', async (t) => {
      const [vfs, path] = await exported(t, options);
      const far = 5 * 2 ** 30 + 7;
      const { handle } = await vfs.root.create('big', RW, 0o644, op);
      await handle.write(far, Buffer.from('end'), op);
      const stat = await handle.stat(op);
      t.equal(stat.size, far + 3);
      t.ok(stat.blocks! < 1000, 'the hole takes no space');
      t.equal(Buffer.from(await handle.read(far, 10, op)).toString(), 'end');
      t.same(await handle.read(2 ** 32, 4, op), Buffer.alloc(4));
      await handle.release();
      t.equal(fs.statSync(join(path, 'big')).size, far + 3);
    });

    t.test('large reads and writes arrive whole', async (t) => {
      const [vfs] = await exported(t, options);
      const { handle } = await vfs.root.create('big', RW, 0o644, op);
      const data = Buffer.alloc(1_100_003, 'content ');
      t.equal(await handle.write(0, data, op), data.length);
      t.ok(data.equals(await handle.read(0, 2_000_000, op)));
      const into = Buffer.alloc(1000);
      t.equal(await handle.readInto!(data.length - 10, into, op), 10);
      t.equal(await handle.readInto!(data.length + 10, into, op), 0);
      await handle.release();
    });

    t.test('a name that means another file by now is ESTALE for the old one', async (t) => {
      const [vfs, path] = await exported(t, options);
      fs.writeFileSync(join(path, 'f'), 'one');
      fs.writeFileSync(join(path, 'g'), 'two');
      const node = await at<FileNode>(vfs, 'f');
      fs.renameSync(join(path, 'g'), join(path, 'f'));
      t.equal(await errno(() => node.stat(op)), 'ESTALE');
      t.equal(await errno(() => node.open(RO, op)), 'ESTALE');
      t.equal(await errno(() => node.open({ ...RW, truncate: true }, op)), 'ESTALE');
      t.equal(await text(vfs, 'f'), 'two');
    });

    t.test('a directory whose path is longer than the kernel takes at once', async (t) => {
      const [vfs] = await exported(t, options);
      let dir: DirNode = vfs.root;
      for (let depth = 0; depth < 25; depth++) dir = await dir.mkdir('d'.repeat(250), 0o755, op);
      const { handle } = await dir.create('deep', RW, 0o644, op);
      await handle.release();
      t.same(
        (await dir.list(op)).map(({ name }) => name),
        ['deep'],
      );
    });
  });
}
