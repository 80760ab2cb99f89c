import { join } from 'node:path';
import type { Bench, BenchCase, Row } from '../bench.js';
import { besideC, type Mounts } from '../mounts.js';
import { interleave, medians } from '../interleave.js';
import { runLoad } from '../tools.js';

interface Operation {
  readonly what: string;
  readonly load: string;
  readonly file: string;
  readonly unit: string;
  /** What share of C's rate is aimed at, by number of clients. */
  readonly aims?: Readonly<Record<number, string>>;
}

const OPERATIONS: readonly Operation[] = [
  { what: 'stat', load: 'stat', file: 'live', unit: '/s' },
  {
    what: 'open+read 1 K+close',
    load: 'read',
    file: 'live',
    unit: '/s',
    aims: { 1: '>= C -s', 16: '>= 0.75x' },
  },
  {
    what: 'open+write 200 B+close',
    load: 'write',
    file: 'live',
    unit: '/s',
    aims: { 1: '>= C -s', 16: '>= 0.75x' },
  },
  { what: 'the same, a control file', load: 'write', file: 'talk', unit: '/s' },
  { what: 'readdir of 1,000', load: 'readdir', file: 'many', unit: '/s' },
  { what: 'ls -l of 1,000', load: 'ls', file: 'many', unit: '/s' },
  { what: '64 MiB, direct', load: 'stream', file: 'bigdirect', unit: 'MB/s' },
];

export const fileOperations: BenchCase = {
  name: 'file-operations',
  title: 'a live tree in memory, nothing cached, by each binding and by libfuse3 in C',
  run: (bench) =>
    besideC(bench, async (mounts) => {
      const rows: Row[] = [];
      for (const clients of [1, 16])
        for (const operation of OPERATIONS)
          rows.push(await measureOperation(bench, mounts, operation, clients));
      return rows;
    }),
};

async function measureOperation(
  bench: Bench,
  mounts: Mounts,
  operation: Operation,
  clients: number,
): Promise<Row> {
  const tools = await bench.tools();
  const what = `${operation.what}, ${clients} client${clients === 1 ? '' : 's'}`;
  bench.say(what);
  const turns = [...mounts].map(([name, { dir }]): [string, () => Promise<number>] => [
    name,
    async () => {
      const path = join(dir, operation.file);
      const figures = await runLoad(tools, operation.load, path, clients, bench.seconds);
      return operation.unit === 'MB/s' ? figures.bytes_per_second / 1e6 : figures.per_second;
    },
  ]);
  return {
    what,
    unit: operation.unit,
    better: 'more',
    values: medians(await interleave(new Map(turns), bench.rounds)),
    baseline: 'C',
    ...(operation.aims?.[clients] === undefined ? {} : { aim: operation.aims[clients] }),
  };
}
