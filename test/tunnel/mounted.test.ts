import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mountChild } from '../support/mount-child.js';

const fixture = { module: new URL('../support/far-tree.js', import.meta.url).href, name: 'createFarTree' };

async function mounted(
  t: Test,
): Promise<{ ticks: string; asked: () => Promise<string[]>; reset: () => Promise<unknown> }> {
  const { dir } = await mountChild(t, { fixture, binding: 'kernel' });
  return {
    ticks: join(dir, 'far/ticks'),
    asked: async () => JSON.parse(await readFile(join(dir, 'requests'), 'utf8')) as string[],
    reset: () => readFile(join(dir, 'reset')),
  };
}

t.test('to read a live file of the far side takes one request, and each read is of now', async (t) => {
  const { ticks, asked, reset } = await mounted(t);
  const before = await readFile(ticks, 'utf8');
  await reset();
  const texts = [await readFile(ticks, 'utf8'), await readFile(ticks, 'utf8')];
  // Node asks for the size of what it has open; that is answered from the snapshot.
  t.strictSame(await asked(), ['open', 'open']);
  const [first, second] = texts.map((text) => Number(text.trim().split(' ')[1])) as [number, number];
  t.ok(first > Number(before.trim().split(' ')[1]), 'what is read is new');
  t.ok(second > first, 'and new again');
  for (const text of texts) t.match(text, /^x+ \d+\n$/);
});

t.test(
  'stat of a live file that somebody holds open is as of now; its holder has the snapshot',
  async (t) => {
    const { ticks } = await mounted(t);
    await readFile(ticks);
    const holder = await open(ticks);
    try {
      const held = await holder.stat();
      await readFile(ticks);
      const now = await stat(ticks);
      t.ok(now.size > held.size, `${now.size} > ${held.size}`);
      t.equal((await holder.stat()).size, held.size);
      t.equal((await holder.readFile('utf8')).length, held.size);
    } finally {
      await holder.close();
    }
  },
);
