import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';
import { ExportingNode } from './fixtures/exporting-node.js';
import { needsRoot } from './fixtures/local-account.js';

const EXDEV = 18;
const WITH_PROC = ['-t', 'proc', 'proc'];

function mount(t: Test, on: string, ...how: string[]): void {
  execFileSync('mount', [...how, on]);
  t.teardown(() => execFileSync('umount', ['-l', on]));
}

/** Mounts in and below `path`: a filesystem, a directory and a file of the same filesystem, /proc. */
function mountWithin(t: Test, path: string): void {
  const apart = temporaryDir(t);
  fs.mkdirSync(join(apart, 'dir'));
  for (const at of [apart, join(apart, 'dir')]) fs.chmodSync(at, 0o777);
  for (const at of ['file', 'dir/f']) fs.writeFileSync(join(apart, at), 'apart', { mode: 0o666 });
  for (const name of ['other', 'bound', 'proc', 'deep']) fs.mkdirSync(join(path, name));
  fs.mkdirSync(join(path, 'deep/inner'));
  fs.writeFileSync(join(path, 'bound-file'), 'covered');
  mount(t, join(path, 'other'), '-t', 'tmpfs', '-o', 'mode=777', 'acheron-test');
  fs.writeFileSync(join(path, 'other/f'), 'apart', { mode: 0o666 });
  mount(t, join(path, 'bound'), '--bind', join(apart, 'dir'));
  mount(t, join(path, 'deep/inner'), '--bind', join(apart, 'dir'));
  mount(t, join(path, 'bound-file'), '--bind', join(apart, 'file'));
  mount(t, join(path, 'proc'), ...WITH_PROC);
}

t.test('an export ends at mount points, of the same filesystem too', needsRoot, async (t) => {
  const node = await ExportingNode.start(t, { as: 'root' });
  mountWithin(t, node.path);
  for (const name of ['other', 'bound', 'deep/inner', 'proc']) {
    const { payload } = await node.peer.askFiles('t_fs_getattr', { node: await node.id(name) });
    t.match(payload, { kind: 'dir', perm: 0 }, 'it is seen');
    t.equal(await node.ask('t_fs_readdirp', name), EXDEV, name);
    const below = await node.peer.askFiles('t_fs_lookup', { node: await node.id(name) }, { path: 'f' });
    t.equal(below.error?.errno, EXDEV, 'nothing below is found');
    t.not(await node.ask('t_fs_create', name, { name: 'new', mode: 'rw' }), 0);
    t.not(await node.ask('t_fs_mkdir', name, { name: 'new' }), 0);
    t.not(await node.ask('t_fs_setattr', name, { perm: 0o777 }), 0);
  }
  for (const mode of ['r', 'w', 'rw']) t.equal(await node.ask('t_fs_open', 'bound-file', { mode }), EXDEV);
  t.equal(await node.ask('t_fs_create', '', { name: 'bound-file', mode: 'rw' }), EXDEV);
  t.not(await node.ask('t_fs_setattr', 'bound-file', { size: 0 }), 0);
  t.equal(await node.ask('t_fs_unlink', '', { name: 'bound-file' }), EXDEV);
  t.equal(fs.readFileSync(join(node.path, 'bound-file'), 'utf8'), 'apart');
});

t.test('a directory that is known is left alone once something is mounted on it', needsRoot, async (t) => {
  const node = await ExportingNode.start(t, { as: 'root' });
  fs.mkdirSync(join(node.path, 'd'));
  fs.writeFileSync(join(node.path, 'd/f'), 'covered');
  await node.id('d/f');
  t.equal(await node.ask('t_fs_readdirp', 'd'), 0);
  mount(t, join(node.path, 'd'), '-t', 'tmpfs', 'acheron-test');
  fs.writeFileSync(join(node.path, 'd/f'), 'apart');
  for (const mode of ['r', 'w']) t.not(await node.ask('t_fs_open', 'd/f', { mode }), 0);
  t.equal(await node.ask('t_fs_readdirp', 'd'), EXDEV);
  t.equal(await node.ask('t_fs_create', 'd', { name: 'new', mode: 'rw' }), EXDEV);
  t.equal(await node.ask('t_fs_setattr', 'd', { perm: 0o700 }), EXDEV);
});

t.test('one with :xdev goes on, but not into what is the face of the kernel', needsRoot, async (t) => {
  const node = await ExportingNode.start(t, { as: 'root', crossMounts: true });
  mountWithin(t, node.path);
  for (const name of ['other', 'bound', 'deep/inner']) {
    t.equal(await node.ask('t_fs_readdirp', name), 0, name);
    t.equal(await node.ask('t_fs_open', `${name}/f`, { mode: 'rw' }), 0);
  }
  t.equal(await node.ask('t_fs_open', 'bound-file', { mode: 'rw' }), 0);
  t.equal(await node.ask('t_fs_readdirp', 'proc'), EXDEV);
  t.not(await node.ask('t_fs_mkdir', 'proc', { name: 'new' }), 0);
});

t.test('programs see where it ends, and go on with the rest', needsRoot, async (t) => {
  const path = temporaryDir(t);
  fs.writeFileSync(join(path, 'a'), 'a');
  mountWithin(t, path);
  const up = await Up.start(t, { binding: 'kernel', bundled: false, args: ['--export', `x=${path}:rw`] });
  const shown = join(up.dir, 'nodes/local/fs/x');
  t.match(execFileSync('ls', ['-l', shown], { encoding: 'utf8' }), /d---------.* other\n/);
  t.strictSame(fs.readdirSync(shown).sort(), ['a', 'bound', 'bound-file', 'deep', 'other', 'proc']);
  t.throws(() => fs.readdirSync(join(shown, 'bound')), { code: 'EXDEV' });
  t.throws(() => fs.readFileSync(join(shown, 'other/f')), { code: 'EXDEV' });
  t.throws(() => fs.readFileSync(join(shown, 'bound-file')), { code: 'EXDEV' });
  t.equal(fs.readFileSync(join(shown, 'a'), 'utf8'), 'a');
});

t.test('links that users leave in an export act on themselves alone', needsRoot, async (t) => {
  const node = await ExportingNode.start(t, { as: 'root' });
  const outside = join(temporaryDir(t), 'outside');
  fs.writeFileSync(outside, 'outside', { mode: 0o600 });
  const before = fs.statSync(outside, { bigint: true });
  for (const [name, target] of [
    ['absolute', outside],
    ['magic', `/proc/self/root${outside}`],
    ['dir', join(outside, '..')],
  ] as const)
    t.equal(await node.ask('t_fs_symlink', '', { name, target }), 0);
  for (const name of ['absolute', 'magic']) {
    for (const mode of ['r', 'w', 'rw']) t.not(await node.ask('t_fs_open', name, { mode }), 0);
    t.not(await node.ask('t_fs_create', '', { name, mode: 'rw' }), 0);
    for (const change of [{ size: 0 }, { perm: 0o777 }, { uid: 1 }, { mtime_ns: '1' }, { atime_ns: '1' }])
      await node.ask('t_fs_setattr', name, change);
    await node.ask('t_fs_setxattr', name, { name: 'user.x', value_b64: 'AAAA' });
    await node.peer.askFiles(
      't_fs_link',
      { node: await node.id() },
      { target_node: await node.id(name), name: `${name}-2` },
    );
  }
  for (const path of ['dir/outside', 'dir/../outside', '../../../etc/passwd']) {
    const { error } = await node.peer.askFiles('t_fs_lookup', { node: await node.id() }, { path });
    t.ok(error, `${path} is not found`);
  }
  const after = fs.statSync(outside, { bigint: true });
  t.equal(after.ctimeNs, before.ctimeNs, 'nothing has touched what they name');
  t.equal(after.nlink, 1n);
  t.equal(fs.readFileSync(outside, 'utf8'), 'outside');
});
