import * as fs from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Export } from '../../lib/providers/index.js';
import type { Change, DirNode } from '../../lib/vfs/index.js';
import { at, errno, exported, op, RO, RW } from './support/exported.js';

/** The changes that come, and a way to wait for one. */
function listen(
  t: Test,
  vfs: Export,
): { heard: Change[]; readonly until: (match: (change: Change) => boolean) => Promise<void> } {
  const heard: Change[] = [];
  const waiting = new Set<() => void>();
  t.teardown(
    vfs.changes.on((change) => {
      heard.push(change);
      for (const look of waiting) look();
    }),
  );
  return {
    heard,
    until: (match) =>
      new Promise((resolve) => {
        // Watches do not keep a process alive.
        const alive = setInterval(() => undefined, 1000);
        const look = (): void => {
          if (!heard.some(match)) return;
          waiting.delete(look);
          clearInterval(alive);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

async function watched(vfs: Export, count: number): Promise<void> {
  while (vfs.usage.watches < count) await setImmediate();
}

t.test('what others change in a directory that was looked into is reported', async (t) => {
  const [vfs, path] = await exported(t);
  fs.mkdirSync(join(path, 'd'));
  fs.writeFileSync(join(path, 'd/f'), 'x');
  const { until } = listen(t, vfs);
  const dir = await at(vfs, 'd');
  const file = await at(vfs, 'd/f');
  await watched(vfs, 2);
  fs.writeFileSync(join(path, 'd/new'), '');
  await until((change) => change.what === 'entry' && change.ino === dir.ino && change.name === 'new');
  fs.appendFileSync(join(path, 'd/f'), 'more');
  await until((change) => change.what === 'data' && change.ino === file.ino);
  fs.rmSync(join(path, 'd/f'));
  await until((change) => change.what === 'entry' && change.ino === dir.ino && change.name === 'f');
});

t.test('own changes are reported once, before they are answered, and their echo is not', async (t) => {
  const [vfs, path] = await exported(t);
  const { heard, until } = listen(t, vfs);
  await vfs.root.list(op);
  await watched(vfs, 1);
  const { handle } = await vfs.root.create('f', RW, 0o644, op);
  t.same(heard, [{ what: 'entry', ino: vfs.root.ino, name: 'f' }]);
  await handle.write(0, Buffer.from('x'), op);
  await handle.release();
  await vfs.root.rename('f', vfs.root, 'g', 0, op);
  await vfs.root.unlink('g', op);
  const own = heard.length;
  t.equal(own, 5);
  fs.writeFileSync(join(path, 'by-others'), '');
  await until((change) => change.what === 'entry' && change.name === 'by-others');
  t.equal(heard.length, own + 1);
});

t.test('however many directories are looked into, a bounded number is watched', async (t) => {
  const [vfs, path] = await exported(t, { maxWatches: 5 });
  for (let i = 0; i < 40; i++) fs.mkdirSync(join(path, `d${i}`));
  const { until } = listen(t, vfs);
  for (let i = 0; i < 40; i++) {
    const dir = await at(vfs, `d${i}`);
    if (dir.kind === 'dir') await dir.list(op);
    await setImmediate();
  }
  await watched(vfs, 5);
  fs.writeFileSync(join(path, 'd39/new'), '');
  await until((change) => change.what === 'entry' && change.name === 'new');
  t.equal(vfs.usage.watches, 5);
});

t.test('a million lookups leave nothing', async (t) => {
  const [vfs, path] = await exported(t);
  listen(t, vfs);
  fs.mkdirSync(join(path, 'd'));
  const names = Array.from({ length: 200 }, (_, i) => `f${i}`);
  for (const name of names) fs.writeFileSync(join(path, 'd', name), name);
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const round = async (rounds: number): Promise<void> => {
    for (let i = 0; i < rounds; i++) {
      const dir = await at(vfs, 'd');
      if (dir.kind !== 'dir') throw new TypeError();
      for (const name of names) {
        const node = await dir.lookup(name, op);
        if (i % 50 === 0 && node.kind === 'file') await (await node.open(RO, op)).release();
      }
      if (i % 50 === 0) await errno(() => dir.lookup('missing', op));
    }
    gc();
    await setImmediate();
  };
  await round(10);
  const fds = fs.readdirSync('/proc/self/fd').length;
  const memory = process.memoryUsage().heapUsed;
  // A fiftieth of the million in the title takes the same paths; the bound below is for that many.
  await round(100);
  while (vfs.usage.nodes > 3) {
    gc();
    await setImmediate();
  }
  t.equal(fs.readdirSync('/proc/self/fd').length, fds);
  t.equal(vfs.usage.openHandles, 0);
  t.ok(process.memoryUsage().heapUsed - memory < 2 * 2 ** 20);
});

t.test(
  'directories that were moved about, so that remembered names lead in a circle, are looked up anew',
  async (t) => {
    const [vfs, path] = await exported(t);
    const real = (...names: string[]): string => join(path, ...names);
    fs.mkdirSync(real('b', 'a'), { recursive: true });
    const b = await at<DirNode>(vfs, 'b');
    const a = await at<DirNode>(vfs, 'b/a');
    // Another b with another a gets what was b.
    fs.mkdirSync(real('other', 'a'), { recursive: true });
    fs.renameSync(real('b'), real('other', 'a', 'b'));
    fs.renameSync(real('other'), real('b'));
    t.equal((await a.lookup('b', op)).ino, b.ino, 'a is looked for by its name of before');
    t.equal(await errno(() => a.stat(op)), 'ESTALE');
    t.equal(await errno(() => b.list(op)), 'ESTALE');
    t.equal((await at(vfs, 'b/a/b')).ino, b.ino);
    t.equal((await b.stat(op)).kind, 'dir', 'who walks the path finds it');
  },
);
