import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadNative } from '../../lib/providers/export/native.js';
import type { FileNode, Op } from '../../lib/vfs/index.js';
import { lacks } from '../support/shells.js';
import { at, errno, exported, op, RO, RW, text } from './support/exported.js';

const skip = loadNative() === null ? 'koffi cannot be loaded here' : false;
const asRoot = process.getuid!() === 0 ? skip || lacks('setpriv') : 'only root can act as others';

t.test('times are kept to the nanosecond, one alone and "now" too', { skip }, async (t) => {
  const [vfs, path] = await exported(t);
  fs.writeFileSync(join(path, 'f'), 'x');
  fs.symlinkSync('f', join(path, 'l'));
  for (const name of ['f', 'l']) {
    const node = await at(vfs, name);
    const mtimeNs = 1_234_567_890_123_456_789n;
    const stat = await node.setattr({ mtimeNs, atimeNs: 987_654_321n }, op);
    t.equal(stat.mtimeNs, mtimeNs);
    t.equal(stat.atimeNs, 987_654_321n);
    t.equal(fs.lstatSync(join(path, name), { bigint: true }).mtimeNs, mtimeNs);
    const later = await node.setattr({ atimeNs: 'now' }, op);
    t.equal(later.mtimeNs, mtimeNs, 'the other stays');
    t.ok(later.atimeNs > 1_700_000_000_000_000_000n);
    t.equal((await node.setattr({ mtimeNs: -1_500_000_000n }, op)).mtimeNs, -1_500_000_000n, 'before 1970');
  }
});

t.test('extended attributes', { skip }, async (t) => {
  const [vfs, path] = await exported(t);
  fs.writeFileSync(join(path, 'f'), 'x');
  fs.mkdirSync(join(path, 'd'));
  for (const name of ['f', 'd', '']) {
    const node = await at(vfs, name);
    t.same(await node.listxattr(op), []);
    t.equal(await errno(() => node.getxattr('user.none', op)), 'ENODATA');
    await node.setxattr('user.small', Buffer.from('value'), 0, op);
    const large = Buffer.alloc(2000, 'large ');
    await node.setxattr('user.large', large, 0, op);
    await node.setxattr('user.empty', Buffer.alloc(0), 0, op);
    t.same([...(await node.listxattr(op))].sort(), ['user.empty', 'user.large', 'user.small']);
    t.equal(Buffer.from(await node.getxattr('user.small', op)).toString(), 'value');
    t.ok(large.equals(await node.getxattr('user.large', op)));
    t.equal((await node.getxattr('user.empty', op)).length, 0);
    t.equal(await errno(() => node.setxattr('user.small', large, 1, op)), 'EEXIST', 'XATTR_CREATE');
    t.equal(await errno(() => node.setxattr('user.new', large, 2, op)), 'ENODATA', 'XATTR_REPLACE');
    await node.removexattr('user.small', op);
    t.equal(await errno(() => node.removexattr('user.small', op)), 'ENODATA');
    for (const name of ['security.capability', 'trusted.x', 'system.other'])
      t.equal(await errno(() => node.setxattr(name, large, 0, op)), 'EPERM', name);
  }
});

t.test('rename keeps what is there (NOREPLACE), or lets two trade places (EXCHANGE)', { skip }, async (t) => {
  const [vfs, path] = await exported(t);
  fs.writeFileSync(join(path, 'a'), 'A');
  fs.mkdirSync(join(path, 'd'));
  fs.writeFileSync(join(path, 'd/b'), 'B');
  const dir = await at(vfs, 'd');
  const a = await at<FileNode>(vfs, 'a');
  const b = await at<FileNode>(vfs, 'd/b');
  if (dir.kind !== 'dir') throw new TypeError();
  t.equal(await errno(() => vfs.root.rename('a', dir, 'b', 1, op)), 'EEXIST');
  await vfs.root.rename('a', dir, 'c', 1, op);
  t.equal(await text(vfs, 'd/c'), 'A');
  await dir.rename('c', dir, 'b', 2, op);
  t.equal(await text(vfs, 'd/c'), 'B');
  t.equal(await at(vfs, 'd/b'), a);
  t.equal((await b.stat(op)).size, 1);
  t.equal(await at(vfs, 'd/c'), b);
  fs.mkdirSync(join(path, 'e'));
  await dir.rename('b', vfs.root, 'e', 2, op);
  t.equal(await text(vfs, 'e'), 'A', 'a file and a directory');
  t.equal((await at(vfs, 'd/b')).kind, 'dir');
  t.equal(await errno(() => vfs.root.rename('d', vfs.root, 'none', 2, op)), 'ENOENT');
});

t.test('space is reserved, and holes are made', { skip }, async (t) => {
  const [vfs, path] = await exported(t);
  const { handle } = await vfs.root.create('f', RW, 0o644, op);
  await handle.allocate(0, 0, 1 << 20, op);
  const stat = await handle.stat(op);
  t.equal(stat.size, 1 << 20);
  t.equal(stat.blocks, 2048);
  await handle.allocate(3, 0, 1 << 19, op);
  t.equal((await handle.stat(op)).blocks, 1024);
  await handle.release();
  t.equal(fs.statSync(join(path, 'f')).size, 1 << 20);
});

t.test('without koffi, what needs it says so with the errno that programs expect', async (t) => {
  const [vfs] = await exported(t, { native: null });
  const { node, handle } = await vfs.root.create('f', RW, 0o644, op);
  t.equal(await errno(() => handle.allocate(0, 0, 10, op)), 'EOPNOTSUPP');
  t.equal(await errno(() => node.getxattr('user.x', op)), 'EOPNOTSUPP');
  t.equal(await errno(() => node.setxattr('user.x', Buffer.from('x'), 0, op)), 'EOPNOTSUPP');
  t.same(await node.listxattr(op), []);
  t.equal(await errno(() => vfs.root.rename('f', vfs.root, 'g', 2, op)), 'EINVAL');
  const mtimeNs = 1_234_567_890_123_456_789n;
  const stat = await node.setattr({ mtimeNs, atimeNs: 'now' }, op);
  t.ok(Math.abs(Number(stat.mtimeNs - mtimeNs)) < 2_000, 'times are kept to a microsecond or so');
  await node.access(4, op);
  await handle.release();
});

t.test(
  'others act with their own rights, files are theirs, and groups count',
  { skip: asRoot },
  async (t) => {
    const [vfs, path] = await exported(t);
    fs.chmodSync(path, 0o777);
    fs.writeFileSync(join(path, 'root-only'), 'x', { mode: 0o600 });
    fs.mkdirSync(join(path, 'private'), { mode: 0o700 });
    fs.writeFileSync(join(path, 'private/f'), 'x', { mode: 0o666 });
    const other: Op = { ...op, caller: { uid: 12_345, gid: 23_456, pid: process.pid } };
    const file = await at<FileNode>(vfs, 'root-only');
    const hidden = await at<FileNode>(vfs, 'private/f');
    t.equal(await errno(() => file.open(RO, other)), 'EACCES');
    t.equal(await errno(() => file.access(4, other)), 'EACCES');
    t.equal(await errno(() => file.setattr({ mode: 0o777 }, other)), 'EPERM');
    t.equal(await errno(() => hidden.open(RO, other)), 'EACCES', 'no way through a private directory');
    t.equal(await errno(async () => (await at(vfs, 'private')).stat(other)), 'none');
    const { node, handle } = await vfs.root.create('mine', RW, 0o644, other);
    await handle.release();
    t.match(await node.stat(op), { uid: 12_345, gid: 23_456 });
    await node.access(6, other);
    t.equal(await errno(() => node.setattr({ uid: 1 }, other)), 'EPERM');
    const dir = await vfs.root.mkdir('dir', 0o755, other);
    t.match(await dir.stat(op), { uid: 12_345 });
    t.equal((await (await at(vfs, 'root-only')).stat(op)).mode, 0o600);
    fs.writeFileSync(join(path, 'by-root'), '');
    t.equal(fs.statSync(join(path, 'by-root')).uid, 0, 'this process is itself again');
    t.same(
      process.getgroups!(),
      JSON.parse(
        execFileSync(process.execPath, ['-p', 'JSON.stringify(process.getgroups())'], { env: {} }).toString(),
      ),
    );

    fs.writeFileSync(join(path, 'for-group'), 'x', { mode: 0o640 });
    fs.chownSync(join(path, 'for-group'), 0, 34_567);
    const { spawn } = await import('node:child_process');
    const child = spawn('setpriv', ['--reuid=12345', '--regid=23456', '--groups=34567', 'cat'], {
      stdio: 'pipe',
    });
    child.stdin.write('ready');
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const grouped: Op = { ...op, caller: { uid: 12_345, gid: 23_456, pid: child.pid! } };
    const shared = await at<FileNode>(vfs, 'for-group');
    t.equal(await errno(() => shared.open(RO, other)), 'EACCES');
    await (await shared.open(RO, grouped)).release();
    t.equal(await errno(() => shared.open(RW, grouped)), 'EACCES');
    child.stdin.end();
    await new Promise((resolve) => child.once('exit', resolve));
  },
);
