import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startAcheron } from '../acheron.js';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { closeMounts, freshDir, openMounts } from '../mounts.js';
import { interleave, medians } from '../interleave.js';
import { serve, type Served } from '../served.js';
import { plainEnvironment, runLoad } from '../tools.js';

const OPERATIONS = [
  { what: 'read 64 MiB', load: 'stream', file: 'big', unit: 'MB/s', beside: 'bare', aim: '>= 0.9x' },
  { what: 'write 64 MiB', load: 'append', file: 'written%d', unit: 'MB/s', beside: 'bare', aim: '>= 0.85x' },
  { what: 'create+write+stat+unlink', load: 'create', file: '.', unit: '/s', beside: 'C', aim: '>= 0.9x' },
  { what: 'open+read 1 K+close', load: 'read', file: 'small', unit: '/s', beside: 'C' },
];

const run = promisify(execFile);
const ENTRIES = 20_000;
const LISTINGS = [
  [`ls -l of ${ENTRIES} in one directory`, 'ls', '-l'],
  [`find -size of ${ENTRIES} in one directory`, 'find', '-size', '0'],
] as const;

export const exportOperations: BenchCase = {
  name: 'export-operations',
  title:
    'a directory exported by the FS provider, against that directory itself and a passthrough in C on libfuse3',
  async run(bench) {
    const tools = await bench.tools();
    const mounts = await openMounts(
      bench,
      new Map([
        ['bare', () => bare(bench)],
        ['C', () => passthrough(bench)],
        ['export', () => exported(bench)],
        ['no passthrough', () => exported(bench, '--no-passthrough')],
      ]),
    );
    try {
      const rows: Row[] = [];
      for (const clients of [1, 4])
        for (const { what, load, file, unit, beside, aim } of OPERATIONS) {
          bench.say(`${what}, ${clients}`);
          const turns = [...mounts].map(([name, { dir }]): [string, () => Promise<number>] => [
            name,
            async () => {
              const figures = await runLoad(tools, load, join(dir, file), clients, bench.seconds);
              return unit === 'MB/s' ? figures.bytes_per_second / 1e6 : figures.per_second;
            },
          ]);
          rows.push({
            what: `${what}, ${clients} client${clients === 1 ? '' : 's'}`,
            unit,
            better: 'more',
            values: medians(await interleave(new Map(turns), bench.rounds)),
            baseline: beside,
            ...(aim === undefined ? {} : { aim }),
          });
        }
      for (const [what, ...command] of LISTINGS) {
        bench.say(what);
        const turns = [...mounts].map(([name, { dir }]): [string, () => Promise<number>] => [
          name,
          () => entriesPerSecond(command, join(dir, 'many')),
        ]);
        rows.push({
          what,
          ...{ unit: 'entries/s', better: 'more', baseline: 'C', aim: '>= 1x' },
          values: medians(await interleave(new Map(turns), bench.rounds)),
        });
      }
      return rows;
    } finally {
      await closeMounts(mounts);
    }
  },
};

async function entriesPerSecond(
  [program, ...args]: readonly [string, ...string[]],
  dir: string,
): Promise<number> {
  const started = performance.now();
  const { stdout } = await run(program, args, { cwd: dir, env: plainEnvironment(), maxBuffer: 1 << 26 });
  const seconds = (performance.now() - started) / 1000;
  const shown = stdout.split('\n').filter((line) => line.includes('entry-')).length;
  if (shown !== ENTRIES) throw new Error(`${program} of ${dir} shows ${shown} files, not ${ENTRIES}.`);
  return ENTRIES / seconds;
}

/** The directory as it is. */
async function bare(bench: Bench): Promise<Served> {
  return { dir: await source(bench), pid: process.pid, stop: async () => undefined };
}

async function passthrough(bench: Bench): Promise<Served> {
  const tools = await bench.tools();
  if (tools.passthrough === null) throw new CannotRun(tools.withoutFuse ?? 'it was not built');
  const dir = freshDir(bench);
  return serve(dir, tools.passthrough, [await source(bench), '-f', dir]);
}

async function exported(bench: Bench, ...args: readonly string[]): Promise<Served> {
  const up = await startAcheron(bench, '--export', `bench=${await source(bench)}:rw`, ...args);
  return { ...up, dir: join(up.dir, 'nodes/local/fs/bench') };
}

/** A directory with what the operations read. */
async function source(bench: Bench): Promise<string> {
  const dir = `${freshDir(bench)}-source`;
  await mkdir(dir);
  await writeFile(join(dir, 'big'), Buffer.alloc(64 * 1024 * 1024));
  await writeFile(join(dir, 'small'), Buffer.alloc(1024));
  await mkdir(join(dir, 'many'));
  for (let i = 0; i < ENTRIES; i++) await writeFile(join(dir, 'many', `entry-${i}`), '');
  return dir;
}
