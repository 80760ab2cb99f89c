import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { abortMount, findMount, mountEntryAt, type MountEntry } from '../../lib/fuse/index.js';
import { BINDINGS } from '../support/bindings.js';
import { cleanEnvironment, mountChild, referenceFixture, type MountedChild } from '../support/mount-child.js';
import { until } from '../support/until.js';
import { waitsInFuse } from '../support/waits-in-fuse.js';

const run = promisify(execFile);
const fixture = {
  module: new URL('../support/bridge-tree.js', import.meta.url).href,
  name: 'createBridgeTree',
};

/** A process that waits in the kernel for an answer that does not come. */
interface Waiting {
  readonly what: string;
  readonly pid: number;
  /** Its exit status, or the signal that ended it, and what it said. */
  readonly ended: Promise<readonly [status: number | string | null, said: string]>;
}

/** Callers of read, write and open. */
async function callers(t: Test, { dir }: MountedChild): Promise<Waiting[]> {
  const all = Object.entries({
    read: ['cat', 'blocked'],
    write: ['dd', 'of=wait', 'conv=notrunc', 'status=none'],
    open: ['cat', 'gate'],
  }).map(([what, [program, ...args]]): Waiting => {
    const child = spawn(program!, args, { cwd: dir, env: { ...cleanEnvironment(), LC_ALL: 'C' } });
    t.teardown(() => child.kill('SIGKILL'));
    child.stdin.end('\n');
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = once(child, 'close').then(() => [child.exitCode ?? child.signalCode, said] as const);
    return { what, pid: child.pid!, ended };
  });
  for (const { what, pid } of all) await until(() => waitsInFuse(pid), `the caller of ${what} to wait`);
  return all;
}

async function sentAway(t: Test, all: readonly Waiting[]): Promise<void> {
  for (const { what, ended } of all) {
    const [status, said] = await ended;
    t.not(status, 0, `${what} failed`);
    t.match(said, /not connected|connection abort/i, `and ${what} says why`);
  }
}

t.test('a plain unmount of a mount in use is refused, and harms nobody', async (t) => {
  const child = await mountChild(t, { fixture, binding: 'kernel' });
  const all = await callers(t, child);
  await t.rejects(run('fusermount3', ['-u', child.dir], { env: { ...process.env, LC_ALL: 'C' } }), {
    message: /busy/,
  });
  t.equal(await readFile(join(child.dir, 'gone'), 'utf8'), '0\n', 'it is healthy');
  for (const { pid, what } of all) t.ok(await waitsInFuse(pid), `${what} still waits`);
});

t.test('after umount -l its users go on, and the server ends with the last of them', async (t) => {
  const child = await mountChild(t, { fixture, binding: 'kernel' });
  const all = await callers(t, child);
  await run('umount', ['-l', child.dir]);
  t.equal(mountEntryAt(child.dir), undefined);
  for (const { pid, what } of all) t.ok(await waitsInFuse(pid), `${what} still waits`);
  for (const { pid } of all) process.kill(pid, 'SIGKILL');
  await Promise.all(all.map(({ ended }) => ended));
  t.equal(await child.closed, 'outside');
});

t.test('a server that is asked to end sends its users away, and ends', async (t) => {
  const child = await mountChild(t, { fixture, binding: 'kernel' });
  const all = await callers(t, child);
  await child.unmount();
  t.equal(await child.closed, 'unmounted');
  for (const { what, ended } of all) t.not((await ended)[0], 0, `${what} failed`);
});

t.test('when the connection is aborted all users are sent away, and the server ends', async (t) => {
  const child = await mountChild(t, { fixture, binding: 'kernel' });
  const all = await callers(t, child);
  await abortMount(mountEntryAt(child.dir)!);
  await sentAway(t, all);
  t.equal(await child.closed, 'outside');
});

t.test('when the server is killed all users are sent away, and the next one mounts there', async (t) => {
  const child = await mountChild(t, { fixture, binding: 'kernel' });
  const all = await callers(t, child);
  await child.kill('SIGKILL');
  await sentAway(t, all);
  await t.rejects(stat(child.dir), { code: 'ENOTCONN' });
  const next = await mountChild(t, { fixture, binding: 'kernel', dir: child.dir });
  t.equal(await readFile(join(next.dir, 'gone'), 'utf8'), '0\n');
});

t.test('when the server crashes all users are sent away', async (t) => {
  const child = await mountChild(t, { fixture, binding: 'kernel' });
  const all = await callers(t, child);
  await run('sh', ['-c', 'echo > crash'], { cwd: child.dir });
  await sentAway(t, all);
  await t.rejects(child.closed, 'it ended without a word');
});

for (const { binding } of BINDINGS)
  t.test(
    `${binding}: a mount whose parent directory is renamed serves on, and can be taken away`,
    async (t) => {
      const child = await mountChild(t, { fixture: referenceFixture, binding });
      const entry = mountEntryAt(child.dir) as MountEntry;
      const parent = dirname(child.dir);
      const dir = join(`${parent}-moved`, 'mnt');
      await rename(parent, dirname(dir));
      try {
        t.equal(findMount(entry)?.mountPoint, dir);
        t.equal(await readFile(join(dir, 'docs/hello.txt'), 'utf8'), 'hello\n');
        await child.unmount();
        t.equal(await child.closed, 'unmounted');
        t.equal(findMount(entry), undefined);
        t.equal(mountEntryAt(dir), undefined);
      } finally {
        await rename(dirname(dir), parent);
      }
    },
  );
