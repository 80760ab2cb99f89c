import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { bindingStarts, closeMounts, freshDir, openMounts, startYardstick } from '../mounts.js';
import { interleave, medians } from '../interleave.js';
import type { Served } from '../served.js';
import { runLoad } from '../tools.js';

const OPERATIONS = [
  { what: 'stat', load: 'stat', file: 'doc' },
  { what: 'open+read 1 K+close', load: 'read', file: 'doc' },
  { what: 'ls -l of 1,000', load: 'ls', file: 'many' },
];

export const cachedOperations: BenchCase = {
  name: 'cached-operations',
  title: 'descriptors that the kernel may keep, by each binding, beside tmpfs',
  async run(bench) {
    const tools = await bench.tools();
    const mounts = await openMounts(
      bench,
      new Map([
        ['tmpfs', () => tmpfs(bench)],
        ['C', () => startYardstick(bench, '--cache')],
        ...bindingStarts(bench, 'announced'),
      ]),
    );
    try {
      const rows: Row[] = [];
      for (const clients of [1, 16])
        for (const { what, load, file } of OPERATIONS) {
          bench.say(`${what}, ${clients}`);
          const turns = [...mounts].map(([name, { dir }]): [string, () => Promise<number>] => [
            name,
            async () => (await runLoad(tools, load, join(dir, file), clients, bench.seconds)).per_second,
          ]);
          rows.push({
            what: `${what}, ${clients} client${clients === 1 ? '' : 's'}`,
            unit: '/s',
            better: 'more',
            values: medians(await interleave(new Map(turns), bench.rounds)),
            baseline: 'tmpfs',
            ...(load === 'ls' ? {} : { aim: '>= 0.5x' }),
          });
        }
      return rows;
    } finally {
      await closeMounts(mounts);
    }
  },
};

/** The same files as the yardstick's, in a folder of /dev/shm. */
async function tmpfs(bench: Bench): Promise<Served> {
  const dir = join('/dev/shm', `acheron-bench-${process.pid}-${freshDir(bench).split('-').at(-1)}`);
  try {
    await mkdir(join(dir, 'many'), { recursive: true });
  } catch (error) {
    throw new CannotRun(`/dev/shm cannot be written: ${(error as Error).message}`);
  }
  await writeFile(join(dir, 'doc'), Buffer.alloc(1024));
  for (let i = 0; i < 1000; i++) await writeFile(join(dir, 'many', `f${i}`), '');
  return { dir, pid: process.pid, stop: () => rm(dir, { recursive: true, force: true }) };
}
