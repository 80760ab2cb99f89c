import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  abortMount,
  inspectMountpoint,
  mountEntryAt,
  prepareMountpoint,
  unmountDir,
} from '../../lib/fuse/index.js';
import { BINDINGS } from '../support/bindings.js';
import { mountChild, mountDirFor, referenceFixture } from '../support/mount-child.js';

for (const { binding } of BINDINGS) {
  const request = { fixture: referenceFixture, binding };

  t.test(`${binding}: a directory that does not exist yet is made and mounted on`, async (t) => {
    const dir = join(mountDirFor(t), '..', 'made', 'here');
    const child = await mountChild(t, { ...request, dir });
    t.equal(await readFile(join(child.dir, 'docs/hello.txt'), 'utf8'), 'hello\n');
    t.equal(mountEntryAt(child.dir)?.fsType, 'fuse.acheron');
    await child.unmount();
    t.equal(mountEntryAt(child.dir), undefined, 'nothing is left mounted');
    t.equal(await child.closed, 'unmounted');
  });

  t.test(`${binding}: a mount whose process was killed is cleared by the next mount`, async (t) => {
    const dir = mountDirFor(t);
    const first = await mountChild(t, { ...request, dir });
    await first.kill('SIGKILL');
    await t.rejects(readdir(dir), { code: 'ENOTCONN' });
    t.equal((await inspectMountpoint(dir)).state, 'dead');
    const second = await mountChild(t, { ...request, dir });
    t.equal(await readFile(join(second.dir, 'docs/hello.txt'), 'utf8'), 'hello\n');
    await second.unmount();
    t.equal(mountEntryAt(dir), undefined);
  });

  t.test(`${binding}: mounting a mounted directory again is recognized and harms nothing`, async (t) => {
    const child = await mountChild(t, request);
    const found = await prepareMountpoint(child.dir);
    t.equal(found.state, 'mounted');
    await t.rejects(mountChild(t, { ...request, dir: child.dir }), { code: 'EBUSY' });
    t.equal(await readFile(join(child.dir, 'docs/hello.txt'), 'utf8'), 'hello\n');
  });

  t.test(`${binding}: unmounting from outside ends the mount`, async (t) => {
    const child = await mountChild(t, request);
    t.equal(await unmountDir(child.dir), 'unmounted');
    t.equal(await child.closed, 'outside');
    t.equal(await unmountDir(child.dir), 'not-mounted');
  });

  t.test(`${binding}: a mount in use is unmounted lazily`, async (t) => {
    const child = await mountChild(t, request);
    const user = spawn('sleep', ['60'], { cwd: child.dir, stdio: 'ignore' });
    t.teardown(() => void user.kill('SIGKILL'));
    await once(user, 'spawn');
    t.equal(await unmountDir(child.dir), 'lazily');
    t.equal(mountEntryAt(child.dir), undefined);
    user.kill('SIGKILL');
    await once(user, 'exit');
    t.equal(await child.closed, 'outside');
  });

  t.test(
    `${binding}: a mount whose process stands still is reported, hangs nobody, and can be taken away`,
    async (t) => {
      const child = await mountChild(t, request);
      const reader = spawn('cat', [join(child.dir, 'docs/hello.txt')], { stdio: 'ignore' });
      await once(reader, 'exit');
      process.kill(child.pid, 'SIGSTOP');
      t.equal((await inspectMountpoint(child.dir, 300)).state, 'silent');
      await t.rejects(prepareMountpoint(child.dir, { probeMs: 300 }), {
        code: 'EBUSY',
        hint: /acheron unmount/,
      });
      const waiting = spawn('cat', [join(child.dir, 'docs/hello.txt')], { stdio: 'ignore' });
      const ended = once(waiting, 'exit');
      const entry = mountEntryAt(child.dir)!;
      await abortMount(entry);
      t.equal(mountEntryAt(child.dir), undefined);
      const [status] = (await ended) as [number];
      t.not(status, 0, 'a caller that waited is sent away');
      process.kill(child.pid, 'SIGCONT');
      t.equal(await child.closed, 'outside');
    },
  );

  t.test(`${binding}: programs started by the mounting process do not hold a dead mount open`, async (t) => {
    const dir = mountDirFor(t);
    const child = await mountChild(t, {
      ...request,
      dir,
      fixture: {
        module: new URL('../support/tree-with-child.js', import.meta.url).href,
        name: 'createTreeWithChild',
      },
    });
    const pid = Number(await readFile(join(dir, 'start'), 'utf8'));
    t.teardown(() => void process.kill(pid, 'SIGKILL'));
    await child.kill('SIGKILL');
    t.equal((await inspectMountpoint(dir)).state, 'dead');
    t.doesNotThrow(() => process.kill(pid, 0), 'the program outlived the mount');
  });
}

t.test('a directory that holds something, or is a file, is refused with what to do', async (t) => {
  const dir = mountDirFor(t);
  mkdirSync(dir);
  writeFileSync(join(dir, 'file'), '');
  await t.rejects(prepareMountpoint(dir), { code: 'ENOTEMPTY', hint: /empty directory/ });
  await t.rejects(prepareMountpoint(join(dir, 'file')), { code: 'ENOTDIR' });
  await t.rejects(prepareMountpoint(join(dir, 'file', 'below')), { code: 'ENOTDIR' });
});

t.test('what somebody else mounted is neither mounted over nor unmounted', async (t) => {
  await t.rejects(prepareMountpoint('/proc'), { code: 'EBUSY' });
  await t.rejects(prepareMountpoint('/proc/made/here'), { code: 'ENOENT', hint: /create or own/ });
  await t.rejects(unmountDir('/proc'), { code: 'EINVAL' });
});

t.test('a symbolic link to a mount point names the mount', async (t) => {
  const dir = mountDirFor(t);
  const child = await mountChild(t, { fixture: referenceFixture, binding: 'fuse-native', dir });
  const link = join(dir, '..', 'link');
  symlinkSync('mnt', link);
  t.match(await inspectMountpoint(link), { state: 'mounted', dir: child.dir });
  await child.kill('SIGKILL');
  t.match(await inspectMountpoint(link), { state: 'dead', dir });
  t.equal(await unmountDir(link), 'unmounted');
  rmdirSync(dir);
  t.match(await prepareMountpoint(link), { state: 'free', dir });
});
