import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startAcheron } from '../acheron.js';
import type { BenchCase } from '../bench.js';
import { interleave, medians } from '../interleave.js';
import { plainEnvironment } from '../tools.js';

export const startUp: BenchCase = {
  name: 'start-up',
  title: 'from `acheron up` to mounted, beside a Node that does nothing',
  async run(bench) {
    const turns = new Map([
      ['node', startNode],
      [
        'up',
        async () => {
          const start = performance.now();
          const up = await startAcheron(bench);
          const took = performance.now() - start;
          await up.stop();
          return took;
        },
      ],
    ]);
    return [
      {
        what: 'start',
        unit: 'ms',
        better: 'less',
        values: medians(await interleave(turns, bench.rounds)),
        baseline: 'node',
        aim: 'up <= 700 ms',
      },
    ];
  },
};

async function startNode(): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, ['--eval', '0'], { stdio: 'ignore', env: plainEnvironment() }), 'exit');
  return performance.now() - start;
}
