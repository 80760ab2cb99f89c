import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { servicesIn, startAcheron } from '../acheron.js';
import type { BenchCase } from '../bench.js';
import { runLoad } from '../tools.js';
import { residentMebibytes } from '../resident-memory.js';

const CLOCK_TICKS_PER_SECOND = 100;
const IDLE_SECONDS = 10;

export const footprint: BenchCase = {
  name: 'footprint',
  title: 'memory and idle work of `acheron up` with the bundled services',
  async run(bench) {
    const tools = await bench.tools();
    const up = await startAcheron(bench);
    try {
      const started = await residentMebibytes(up.pid);
      bench.say(`idle for ${2 * IDLE_SECONDS} s`);
      const atFirst = await idlePercent(up.pid);
      const later = await idlePercent(up.pid);
      const settled = await residentMebibytes(up.pid);
      await runLoad(tools, 'read', join(servicesIn(up.dir), 'echo/status.json'), 16, 5);
      const loaded = await residentMebibytes(up.pid);
      return [
        {
          what: 'resident, just started',
          unit: 'MiB',
          better: 'less',
          values: { up: started },
          aim: '<= 90',
        },
        { what: 'resident, idle', unit: 'MiB', better: 'less', values: { up: settled }, aim: '<= 90' },
        { what: 'resident, after 5 s of 16 readers', unit: 'MiB', better: 'less', values: { up: loaded } },
        { what: 'CPU when idle, at first', unit: '% of a core', better: 'less', values: { up: atFirst } },
        {
          what: 'CPU when idle, later',
          unit: '% of a core',
          better: 'less',
          values: { up: later },
          aim: '<= 0.2',
        },
      ];
    } finally {
      await up.stop();
    }
  },
};

/** Over `IDLE_SECONDS`; the control plane of `up` is still loaded in the first of them. */
async function idlePercent(pid: number): Promise<number> {
  const before = await cpuSeconds(pid);
  await pause(IDLE_SECONDS * 1000);
  return ((await cpuSeconds(pid)) - before) * (100 / IDLE_SECONDS);
}

/** User and system time: fields 14 and 15 of proc_pid_stat(5), after the name in parentheses. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}
