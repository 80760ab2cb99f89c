import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CannotRun, type BenchCase, type Row } from '../bench.js';
import { loadPosixSpawn } from '../../lib/drivers/native-proc/posix-spawn.js';

/** What the starting process holds, as a node does that serves little, and much. */
const HELD_MIB = [0, 400];

type Figures = Record<'one' | 'together' | 'blocked' | 'cpu', Record<string, number>>;

export const programStart: BenchCase = {
  name: 'program-start',
  title:
    'a oneshot `cat`, started by Node and by posix_spawn, out of a small and a large process; and as another user with limits',
  async run(bench) {
    if (loadPosixSpawn() === null) throw new CannotRun('posix_spawn cannot be called here');
    const script = join(import.meta.dirname, '../start-programs.js');
    const { load } = await bench.tools();
    const rows: Row[] = [];
    for (const held of HELD_MIB) {
      bench.say(`out of a process with ${held} MiB`);
      const args = [script, load, held, bench.rounds, bench.seconds].map(String);
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const { one, together, blocked, cpu } = JSON.parse(stdout) as Figures;
      const at = held === 0 ? 'small' : `${held} MiB`;
      rows.push(
        { what: `main thread stopped, ${at}`, unit: 'ms', better: 'less', values: blocked, baseline: 'Node', aim: '<= 0.5 ms' }, // prettier-ignore
        { what: `its CPU a call, ${at}`, unit: 'ms', better: 'less', values: cpu, baseline: 'Node' },
        { what: `calls, 1 caller, ${at}`, unit: '/s', better: 'more', values: one, baseline: 'C' },
        { what: `calls, 8 callers, ${at}`, unit: '/s', better: 'more', values: together, baseline: 'C', aim: '400/s' }, // prettier-ignore
      );
    }
    return rows;
  },
};
