import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { localSession } from '../../lib/policy/index.js';
import { createFsProvider, guardExport } from '../../lib/providers/index.js';
import type { DirNode, FileNode, Op } from '../../lib/vfs/index.js';
import { errno, exported, op as admin, RO, RW } from './support/exported.js';

const op: Op = { ...admin, session: localSession('user') };

/** Rights that a test can change, and a guarded export with `f`, `d/` and `l` in it. */
async function guarded(t: Test) {
  const [vfs, path] = await exported(t);
  fs.writeFileSync(join(path, 'f'), 'content', { mode: 0o666 });
  fs.chmodSync(join(path, 'f'), 0o666);
  fs.mkdirSync(join(path, 'd'));
  fs.symlinkSync('f', join(path, 'l'));
  const rights = { read: true, write: true };
  const denials: string[] = [];
  const guard = {
    maySee: () => true,
    mayRead: () => rights.read,
    mayWrite: () => rights.write,
    denied: ({ role }: { role: string }) => void denials.push(role),
  };
  return { vfs, path, rights, denials, guard, root: guardExport(vfs, guard).root };
}

t.test('who may read and not write sees no write bits, and changes nothing', async (t) => {
  const { root, path, rights, denials } = await guarded(t);
  const file = (await root.lookup('f', op)) as FileNode;
  t.equal((await file.stat(op)).mode, 0o666);
  rights.write = false;
  t.equal((await file.stat(op)).mode & 0o222, 0);
  t.equal((await root.stat(op)).mode & 0o222, 0);
  await file.access(4, op);
  for (const [what, work] of Object.entries({
    access: () => file.access(2, op),
    open: () => file.open(RW, op),
    truncate: () => file.open({ ...RO, truncate: true }, op),
    setattr: () => file.setattr({ mode: 0o777 }, op),
    touch: () => file.setattr({ mtimeNs: 'now' }, op),
    setxattr: () => file.setxattr('user.x', Buffer.from('x'), 0, op),
    removexattr: () => file.removexattr('user.x', op),
    create: () => root.create('n', RW, 0o644, op),
    mkdir: () => root.mkdir('n', 0o755, op),
    unlink: () => root.unlink('f', op),
    rmdir: () => root.rmdir('d', op),
    rename: () => root.rename('f', root, 'n', 0, op),
    link: () => root.link(file, 'n', op),
    symlink: () => root.symlink('n', 'f', op),
  }))
    t.equal(await errno(work), 'EACCES', what);
  t.equal(denials.length, 13, 'each is a denial but access, which only asks');
  t.same(fs.readdirSync(path).sort(), ['d', 'f', 'l']);
  const handle = await file.open(RO, op);
  t.equal(Buffer.from(await handle.read(0, 100, op)).toString(), 'content');
  t.equal((await handle.stat(op)).mode & 0o222, 0);
  await handle.release();
});

t.test('to who may not read, nothing is there', async (t) => {
  const { root, rights } = await guarded(t);
  const file = (await root.lookup('f', op)) as FileNode;
  const link = await root.lookup('l', op);
  rights.read = false;
  t.equal(await errno(() => root.lookup('f', op)), 'ENOENT');
  t.equal(await errno(() => root.list(op)), 'ENOENT');
  t.equal(await errno(() => file.stat(op)), 'ENOENT');
  t.equal(await errno(() => file.open(RO, op)), 'ENOENT');
  t.equal(await errno(() => (link.kind === 'symlink' ? link.readlink(op) : 'none')), 'ENOENT');
  t.equal(await errno(() => root.unlink('f', op)), 'ENOENT');
});

t.test('a right that is withdrawn is gone for what is open too', async (t) => {
  const { root, rights, path } = await guarded(t);
  const handle = await ((await root.lookup('f', op)) as FileNode).open(RW, op);
  await handle.write(0, Buffer.from('C'), op);
  rights.write = false;
  t.equal(await errno(() => handle.write(0, Buffer.from('X'), op)), 'EACCES');
  t.equal(await errno(() => handle.setattr({ size: 0 }, op)), 'EACCES');
  t.equal(await errno(() => handle.allocate(0, 0, 10, op)), 'EACCES');
  t.equal(Buffer.from(await handle.read(0, 100, op)).toString(), 'Content');
  rights.read = false;
  t.equal(await errno(() => handle.read(0, 100, op)), 'EACCES');
  t.equal(await errno(() => handle.readInto!(0, Buffer.alloc(4), op)), 'EACCES');
  await handle.release();
  t.equal(fs.readFileSync(join(path, 'f'), 'utf8'), 'Content');
});

t.test('nodes keep their identity, and what is made through the guard is guarded', async (t) => {
  const { root, vfs } = await guarded(t);
  const dir = (await root.lookup('d', op)) as DirNode;
  t.equal(await root.lookup('d', op), dir);
  const { node, handle } = await dir.create('n', RW, 0o644, op);
  await handle.release();
  t.equal(await dir.lookup('n', op), node);
  await dir.rename('n', root, 'm', 0, op);
  t.equal(await root.lookup('m', op), node);
  t.equal(await root.link(node, 'again', op), node);
  t.equal(await errno(() => root.link(vfs.root, 'x', op)), 'EXDEV');
  t.equal(await errno(() => root.rename('m', vfs.root, 'x', 0, op)), 'EXDEV');
});

t.test('the exports of a node stand in one directory', async (t) => {
  const { vfs, rights, guard } = await guarded(t);
  const provider = createFsProvider([vfs], guard);
  t.teardown(() => provider.close());
  const { root } = provider;
  t.match(await root.list(op), [{ name: 'data', kind: 'dir' }]);
  const data = (await root.lookup('data', op)) as DirNode;
  t.equal((await data.lookup('f', op)).kind, 'file');
  t.equal(await errno(() => root.lookup('other', op)), 'ENOENT');
  t.equal(await errno(() => root.mkdir('other', 0o755, op)), 'EPERM');
  const heard: unknown[] = [];
  provider.changes.on((change) => heard.push(change));
  await data.mkdir('new', 0o755, op);
  t.match(heard, [{ what: 'entry', name: 'new' }]);
  rights.read = false;
  t.same(await root.list(op), []);
  t.equal(await errno(() => root.lookup('data', op)), 'ENOENT');
  t.throws(() => createFsProvider([vfs, vfs], guard), { code: 'EEXIST' });
});
