import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchCase } from '../bench.js';
import { besideC, bindingStarts, closeMounts, openMounts } from '../mounts.js';
import { interleave, medians } from '../interleave.js';
import { plainEnvironment } from '../tools.js';

const run = promisify(execFile);
const ENTRIES = 50_000;

export const recursiveListing: BenchCase = {
  name: 'recursive-listing',
  title:
    'ls -lR of 50,000 files in 50 directories, of which nothing may be kept, by each binding and by libfuse3 in C; ' +
    'and of files that announce their changes, as most are',
  run: (bench) =>
    besideC(bench, async (live) => {
      const kernel = bindingStarts(bench, 'announced').filter(([name]) => name === 'kernel');
      const announced = await openMounts(
        bench,
        new Map(kernel.map(([name, start]) => [`${name}, announced`, start])),
      );
      bench.say('ls -lR');
      const turns = [...live, ...announced].map(([name, { dir }]): [string, () => Promise<number>] => [
        name,
        () => entriesPerSecond(join(dir, 'tree')),
      ]);
      const figures = await interleave(new Map(turns), bench.rounds);
      await closeMounts(announced);
      return [
        {
          what: 'ls -lR of 50,000',
          unit: 'entries/s',
          better: 'more',
          values: medians(figures),
          baseline: 'C',
          aim: '>= 1x',
        },
      ];
    }),
};

async function entriesPerSecond(dir: string): Promise<number> {
  const started = performance.now();
  const { stdout } = await run('ls', ['-lR', dir], {
    env: { ...plainEnvironment(), LC_ALL: 'C' },
    maxBuffer: 1 << 26,
  });
  const seconds = (performance.now() - started) / 1000;
  const files = stdout.split('\n').filter((line) => line.startsWith('-')).length;
  if (files !== ENTRIES) throw new Error(`ls -lR of ${dir} shows ${files} files, not ${ENTRIES}.`);
  return ENTRIES / seconds;
}
