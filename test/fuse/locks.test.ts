import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { Locker } from '../support/locker.js';
import { mountChild, referenceFixture, type Fixture } from '../support/mount-child.js';
import { until } from '../support/until.js';

const run = promisify(execFile);
const doorFixture: Fixture = {
  module: new URL('../support/bridge-tree.js', import.meta.url).href,
  name: 'createBridgeTree',
};

/** Each with what a control file is named, and the same one by another name. */
const FILES: readonly { what: string; fixture: Fixture; file: string; again: string; make?: string }[] = [
  { what: 'a control file', fixture: doorFixture, file: 'taken', again: 'taken-too' },
  {
    what: 'a file of a writable directory',
    fixture: referenceFixture,
    file: 'work/locked',
    again: 'work/hard',
    make: 'echo text > work/locked && ln work/locked work/hard',
  },
];

interface Two {
  readonly dir: string;
  readonly a: Locker;
  readonly b: Locker;
}

async function two(t: Test, { fixture, make }: (typeof FILES)[number]): Promise<Two> {
  const { dir } = await mountChild(t, { fixture, binding: 'kernel' });
  if (make !== undefined) await run('sh', ['-c', make], { cwd: dir });
  return { dir, a: new Locker(t, dir), b: new Locker(t, dir) };
}

/** Whether the thread waits in the kernel, as one that waits for a lock does. */
async function waits(locker: Locker): Promise<void> {
  await until(async () => {
    const { stdout } = await run('cat', [`/proc/${locker.pid}/wchan`]);
    return /fuse|request/.test(stdout);
  }, 'the locker to wait');
}

for (const file of FILES)
  t.test(`locks on ${file.what}`, async (t) => {
    const { dir, a, b } = await two(t, file);
    const own = await a.do('open', file.file, 'O_RDWR');
    const other = await b.do('open', file.again, 'O_RDWR');

    for (const how of ['flock', 'lock'] as const) {
      const tries = how === 'flock' ? 'tryFlock' : 'tryLock';

      t.test(`${how} excludes other processes, by whatever name they know the file`, async (t) => {
        t.equal(await a.do(how, own, 'exclusive'), null);
        t.equal(await b.do(tries, other, 'exclusive'), 'EAGAIN');
        t.equal(await b.do(tries, other, 'shared'), 'EAGAIN');
        t.equal(await a.do(how, own, 'shared'), null);
        t.equal(await b.do(tries, other, 'shared'), null);
        t.equal(await b.do(tries, other, 'exclusive'), 'EAGAIN');
        await a.do(how, own, 'none');
        await b.do(how, other, 'none');
      });

      t.test(`${how} waits until the lock is given back`, async (t) => {
        await a.do(how, own, 'exclusive');
        const waiting = b.do(how, other, 'exclusive');
        await waits(b);
        await a.do(how, own, 'none');
        t.equal(await waiting, null);
        t.equal(await a.do(tries, own, 'shared'), 'EAGAIN');
        await b.do(how, other, 'none');
      });

      t.test(`who waits with ${how} is interrupted by a signal, and leaves nothing behind`, async (t) => {
        await a.do(how, own, 'exclusive');
        await b.do('alarm', 0.2);
        t.equal(await b.do(how, other, 'exclusive'), 'EINTR');
        const killed = new Locker(t, dir);
        const third = await killed.do('open', file.file, 'O_RDWR');
        killed.do(how, third, 'exclusive').catch(() => undefined);
        await waits(killed);
        await killed.kill();
        await a.do(how, own, 'none');
        t.equal(await b.do(tries, other, 'exclusive'), null);
        await b.do(how, other, 'none');
      });

      for (const mode of ['O_RDWR', 'O_RDONLY'] as const)
        t.test(`${how} by a descriptor of ${mode} ends with its close, and with a SIGKILL`, async (t) => {
          const kind = mode === 'O_RDONLY' ? 'shared' : 'exclusive';
          const holder = new Locker(t, dir);
          let third = await holder.do('open', file.file, mode);
          await holder.do(how, third, kind);
          t.equal(await b.do(tries, other, 'exclusive'), 'EAGAIN');
          await holder.do('close', third);
          t.equal(await b.do(tries, other, 'exclusive'), null);
          await b.do(how, other, 'none');
          third = await holder.do('open', file.file, mode);
          await holder.do(how, third, kind);
          const waiting = b.do(how, other, 'exclusive');
          await waits(b);
          await holder.kill();
          t.equal(await waiting, null);
          await b.do(how, other, 'none');
        });
    }

    t.test('fcntl locks are of bytes, and F_GETLK says whose they are', async (t) => {
      await a.do('lock', own, 'exclusive', 10, 10);
      t.equal(await b.do('tryLock', other, 'exclusive', 20, 0), null);
      t.same(await b.do('getlk', other, 'shared', 0, 100), ['exclusive', 10, 10, a.pid]);
      t.equal(((await b.do('getlk', other, 'shared', 0, 10)) as unknown[])[0], 'none');
      t.same(await a.do('getlk', own, 'shared', 0, 0), ['exclusive', 20, 0, b.pid], 'up to the end');
      await a.do('lock', own, 'none', 14, 2);
      t.equal(await b.do('tryLock', other, 'exclusive', 14, 2), null);
      t.equal(await b.do('tryLock', other, 'exclusive', 13, 1), 'EAGAIN');
      await b.do('lock', other, 'none', 0, 0);
      await a.do('lock', own, 'none', 0, 0);
    });

    t.test('fcntl locks of two who would wait for each other are EDEADLK', async (t) => {
      await a.do('lock', own, 'shared');
      await b.do('lock', other, 'shared');
      const waiting = b.do('lock', other, 'exclusive');
      await waits(b);
      t.equal(await a.do('lock', own, 'exclusive'), 'EDEADLK');
      await a.do('lock', own, 'none');
      t.equal(await waiting, null);
      await b.do('lock', other, 'none');
    });

    t.test('any close by its process ends an fcntl lock, the last close an flock', async (t) => {
      await a.do('lock', own, 'exclusive');
      await a.do('flock', own, 'exclusive');
      await a.do('close', await a.do('dup', own));
      t.equal(await b.do('tryLock', other, 'exclusive'), null);
      t.equal(await b.do('tryFlock', other, 'exclusive'), 'EAGAIN');
      await b.do('lock', other, 'none');
      await a.do('flock', own, 'none');
    });

    t.test('a lock of an open file description (F_OFD_SETLK) ends with its last close', async (t) => {
      const third = await a.do('open', file.file, 'O_RDWR');
      t.equal(await a.do('ofd', third, 'exclusive', 0, 0), null);
      t.equal(await a.do('tryLock', own, 'exclusive'), 'EAGAIN', 'it is not of the process');
      t.equal(await b.do('tryLock', other, 'exclusive'), 'EAGAIN');
      await a.do('close', third);
      t.equal(await b.do('tryLock', other, 'exclusive'), null);
      await b.do('lock', other, 'none');
    });

    t.test('a child that inherits a descriptor keeps an flock, and no fcntl lock', async (t) => {
      const holder = new Locker(t, dir);
      const third = await holder.do('open', file.file, 'O_RDWR');
      await holder.do('lock', third, 'exclusive');
      await holder.do('flock', third, 'exclusive');
      const child = (await holder.do('fork')) as number;
      const waiting = b.do('lock', other, 'exclusive');
      await waits(b);
      await holder.kill();
      t.equal(await waiting, null);
      t.equal(await b.do('tryFlock', other, 'exclusive'), 'EAGAIN');
      const flocking = b.do('flock', other, 'exclusive');
      process.kill(child, 'SIGKILL');
      t.equal(await flocking, null);
      await b.do('flock', other, 'none');
      await b.do('lock', other, 'none');
    });

    t.test('flock(1) lets one go at a time', async (t) => {
      const script = `flock ${file.file} sh -c 'flock -n ${file.again} echo both || echo one at a time'`;
      t.equal((await run('sh', ['-c', script], { cwd: dir, timeout: 60_000 })).stdout, 'one at a time\n');
      const late = `flock ${file.file} sh -c 'flock -w 0.2 ${file.again} echo both || echo too late'`;
      t.equal((await run('sh', ['-c', late], { cwd: dir, timeout: 60_000 })).stdout, 'too late\n');
    });
  });

t.test('who waits for the lock of a control file does not hold up who writes to it', async (t) => {
  const { a, b, dir } = await two(t, FILES[0]!);
  const own = await a.do('open', 'taken', 'O_RDWR');
  const other = await b.do('open', 'taken', 'O_RDWR');
  await a.do('flock', own, 'exclusive');
  const waiting = b.do('flock', other, 'exclusive');
  await waits(b);
  t.equal(await a.do('write', own, 'one\n'), 4);
  await run('sh', ['-c', 'echo > taken && ls -l'], { cwd: dir, timeout: 60_000 });
  await a.do('close', own);
  t.equal(await waiting, null);
});

t.test('a mount with somebody who waits for a lock ends, and so does the wait', async (t) => {
  const child = await mountChild(t, { fixture: doorFixture, binding: 'kernel' });
  const [a, b] = [new Locker(t, child.dir), new Locker(t, child.dir)];
  await a.do('flock', await a.do('open', 'taken', 'O_RDWR'), 'exclusive');
  const waiting = b.do('flock', await b.do('open', 'taken', 'O_RDWR'), 'exclusive');
  await waits(b);
  await child.unmount();
  t.match(await waiting, /^E/);
});

t.test('locks on directories hold', async (t) => {
  const { dir } = await mountChild(t, { fixture: doorFixture, binding: 'kernel' });
  const script = 'flock . sh -c "flock -n . echo both || echo one at a time"';
  t.equal((await run('sh', ['-c', script], { cwd: dir, timeout: 60_000 })).stdout, 'one at a time\n');
});
