import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountEntryAt } from '../../lib/fuse/index.js';
import { codeOf, O } from '../support/access.js';
import { kernelAccess } from '../support/kernel-access.js';
import { BINDINGS } from '../support/bindings.js';
import { mountChild } from '../support/mount-child.js';
import { until } from '../support/until.js';

const fixture = {
  module: new URL('../support/hostile-tree.js', import.meta.url).href,
  name: 'createHostileTree',
};

for (const { binding } of BINDINGS) {
  t.test(
    `${binding}: whatever a tree does wrong, each caller gets an errno and the mount goes on`,
    async (t) => {
      const child = await mountChild(t, { fixture, binding });
      const access = kernelAccess(child.dir);
      const misdeeds = (await readdir(child.dir)).filter((name) => !/good|waiting/.test(name));
      t.equal(misdeeds.length, 8);
      for (const misdeed of misdeeds) {
        const failed = await Promise.all([
          codeOf(access.readdir(`/${misdeed}`)),
          codeOf(access.stat(`/${misdeed}/name`)),
          codeOf(access.stat(`/${misdeed}/closed`)),
          codeOf(access.open(`/${misdeed}/closed`, O.read)),
          codeOf(access.open(`/${misdeed}/name`, O.write | O.create)),
        ]);
        t.same(failed, ['EIO', 'EIO', 'EIO', 'EIO', 'EIO'], misdeed);
        // Where the answer is no error, any answer will do: that there is one is the point.
        await Promise.all([
          codeOf(access.unlink(`/${misdeed}/opens`)),
          codeOf(access.chmod(`/${misdeed}/opens`, 0o600)),
          codeOf(access.truncate(`/${misdeed}/opens`, 0)),
          codeOf(access.access(`/${misdeed}/opens`, 4)),
          codeOf(access.statfs(`/${misdeed}/opens`)),
          codeOf(useDescriptor(join(child.dir, misdeed, 'opens'))),
        ]);
        t.equal(await readFile(join(child.dir, 'good.txt'), 'utf8'), 'good\n', `after ${misdeed}`);
      }
      await child.unmount();
      t.equal(await child.closed, 'unmounted');
      t.match(child.output(), /thrown/, 'the causes are in the log');
    },
  );

  t.test(`${binding}: unmounting sends away who waits, and leaves nothing behind`, async (t) => {
    const child = await mountChild(t, { fixture, binding });
    const reader = execFile('cat', [join(child.dir, 'waiting')], { env: { LC_ALL: 'C' } });
    let stderr = '';
    reader.stderr!.on('data', (text: string) => (stderr += text));
    const writer = spawn('dd', ['if=/dev/zero', 'count=1', `of=${join(child.dir, 'waiting')}`], {
      stdio: 'ignore',
    });
    const ended = Promise.all([once(reader, 'close'), once(writer, 'exit')]);
    // Both have the file open once they are served.
    await until(
      async () => (await holds(reader.pid!, child.dir)) && (await holds(writer.pid!, child.dir)),
      'both to have the file open',
    );
    await child.unmount();
    await ended;
    t.match(stderr, /Operation canceled/);
    t.not(writer.exitCode, 0);
    t.equal(mountEntryAt(child.dir), undefined);
    t.equal(await child.closed, 'unmounted');
  });
}

async function useDescriptor(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await codeOf(file.stat());
  await codeOf(file.read(Buffer.alloc(10), 0, 10, 0));
  await codeOf(file.write('x'));
  await codeOf(file.truncate(1));
  await codeOf(file.close());
}

/** Whether a process has a file below `dir` open; says so from /proc, which asks the mount nothing. */
async function holds(pid: number, dir: string): Promise<boolean> {
  try {
    const fds = await readdir(`/proc/${pid}/fd`);
    const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    return targets.some((target) => target.startsWith(dir));
  } catch {
    return false;
  }
}
