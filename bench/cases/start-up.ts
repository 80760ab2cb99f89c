import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { program, startAcheron } from '../acheron.js';
import type { BenchCase } from '../bench.js';
import { interleave, medians } from '../interleave.js';
import { plainEnvironment } from '../tools.js';

/** Commands of which each loads something else: nothing, a client of the node's tree, one of the control plane too. */
const COMMANDS: readonly (readonly [string, ...string[]])[] = [['--version'], ['ls', '/'], ['status']];

export const startUp: BenchCase = {
  name: 'start-up',
  title: 'from `acheron up` to mounted, and commands from start to end, beside a Node that does nothing',
  async run(bench) {
    const idle: [string, () => Promise<number>] = ['node', () => runNode(['--eval', '0'])];
    const ups = new Map([
      idle,
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
    const start = medians(await interleave(ups, bench.rounds));

    const up = await startAcheron(bench, '--port', '0');
    try {
      const commands = COMMANDS.map(([name, ...args]): [string, () => Promise<number>] => [
        name,
        () =>
          runNode([
            program,
            name,
            ...args,
            ...(name === '--version' ? [] : ['--state-dir', `${up.dir}-state`]),
          ]),
      ]);
      const command = medians(await interleave(new Map([idle, ...commands]), bench.rounds));
      return [
        { what: 'start', unit: 'ms', better: 'less', values: start, baseline: 'node', aim: 'up <= 350 ms' },
        {
          what: 'command',
          unit: 'ms',
          better: 'less',
          values: command,
          baseline: 'node',
          aim: 'each <= 150 ms',
        },
      ];
    } finally {
      await up.stop();
    }
  },
};

/** How long a run of Node takes, from start to end. */
async function runNode(args: readonly string[]): Promise<number> {
  const start = performance.now();
  await once(spawn(process.execPath, args, { stdio: 'ignore', env: plainEnvironment() }), 'exit');
  return performance.now() - start;
}
