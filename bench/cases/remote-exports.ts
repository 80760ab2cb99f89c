import { execFile } from 'node:child_process';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { program } from '../acheron.js';
import type { Bench, BenchCase, Row } from '../bench.js';
import { interleave, medians } from '../interleave.js';
import { closeMounts, freshDir, openMounts } from '../mounts.js';
import { adminTokenFile, mountPlane, startControl, startNode } from '../plane.js';
import { serve, type Served } from '../served.js';
import { mountSshfs } from '../sshfs.js';
import { plainEnvironment, runLoad } from '../tools.js';

const run = promisify(execFile);
const STREAM_BYTES = 64 * 1024 * 1024;
const FOLDERS = 10;
const FILES_EACH = 100;

const OPERATIONS = [
  { what: 'read 64 MiB', load: 'stream', file: 'big', unit: 'MB/s', clients: 1, aim: '>= 1x' },
  { what: 'write 64 MiB', load: 'append', file: 'written%d', unit: 'MB/s', clients: 1, aim: '>= 1x' },
  { what: 'open+read 1 K+close', load: 'read', file: 'small', unit: '/s', clients: 1, aim: '>= 1.4x' },
  { what: 'open+read 1 K+close', load: 'read', file: 'small', unit: '/s', clients: 16, aim: '>= 1x' },
  { what: 'create+write+stat+unlink', load: 'create', file: '.', unit: '/s', clients: 1, aim: '>= 1x' },
  { what: 'create+write+stat+unlink', load: 'create', file: '.', unit: '/s', clients: 16 },
];

export const remoteExports: BenchCase = {
  name: 'remote-exports',
  title:
    'a directory of another machine: by sshfs, from a node that listens, by way of a control plane (loopback all)',
  async run(bench) {
    const tools = await bench.tools();
    const source = await makeSource(bench);
    const mounts = await openMounts(
      bench,
      new Map([
        ['sshfs', () => mountSshfs(bench, source)],
        ['listening node', () => fromListeningNode(bench, source)],
        ['control plane', () => byWayOfPlane(bench, source)],
      ]),
    );
    try {
      const rows: Row[] = [];
      const measure = async (
        row: Omit<Row, 'values' | 'better' | 'baseline'>,
        figureOf: (dir: string) => Promise<number>,
      ): Promise<void> => {
        bench.say(row.what);
        const turns = new Map([...mounts].map(([name, { dir }]) => [name, () => figureOf(dir)]));
        const values = medians(await interleave(turns, bench.rounds));
        rows.push({ ...row, better: 'more', values: { sshfs: null, ...values }, baseline: 'sshfs' });
      };
      for (const { what, load, file, unit, clients, aim } of OPERATIONS)
        await measure(
          {
            what: `${what}, ${clients} client${clients === 1 ? '' : 's'}`,
            unit,
            ...(aim === undefined ? {} : { aim }),
          },
          async (dir) => {
            // A file that has just been changed is kept in no page cache.
            await utimes(join(source, 'big'), new Date(), new Date());
            const figures = await runLoad(tools, load, join(dir, file), clients, bench.seconds);
            return unit === 'MB/s' ? figures.bytes_per_second / 1e6 : figures.per_second;
          },
        );
      const entries = FOLDERS * FILES_EACH;
      await measure({ what: `ls -lR of ${entries} files`, unit: 'files/s', aim: '>= 3x' }, async (dir) => {
        // None has seen it before: what is kept of a directory is kept for a while.
        const name = await makeTree(source);
        const seconds = await listAll(join(dir, name), entries);
        await rm(join(source, name), { recursive: true });
        return entries / seconds;
      });
      return rows;
    } finally {
      await closeMounts(mounts);
    }
  },
};

async function makeSource(bench: Bench): Promise<string> {
  const dir = `${freshDir(bench)}-source`;
  await mkdir(dir);
  await writeFile(join(dir, 'big'), Buffer.alloc(STREAM_BYTES, 'x'));
  await writeFile(join(dir, 'small'), Buffer.alloc(1024));
  return dir;
}

/** Remote callers are the user who runs the bench, as through sshfs. */
function exportOf(source: string): string {
  return `bench=${source}:rw${process.getuid?.() === 0 ? ':as=root' : ''}`;
}

let trees = 0;

async function makeTree(source: string): Promise<string> {
  const name = `tree-${trees++}`;
  for (let folder = 0; folder < FOLDERS; folder++) {
    const path = join(source, name, `folder-${folder}`);
    await mkdir(path, { recursive: true });
    for (let i = 0; i < FILES_EACH; i++) await writeFile(join(path, `file-${i}`), 'content\n');
  }
  return name;
}

/** Answers how long it took, s. */
async function listAll(dir: string, entries: number): Promise<number> {
  const started = performance.now();
  const { stdout } = await run('ls', ['-lR', dir], { env: plainEnvironment(), maxBuffer: 1 << 26 });
  const seconds = (performance.now() - started) / 1000;
  const shown = stdout.split('\n').filter((line) => line.startsWith('-')).length;
  if (shown !== entries) throw new Error(`ls -lR of ${dir} shows ${shown} files, not ${entries}.`);
  return seconds;
}

async function fromListeningNode(bench: Bench, source: string): Promise<Served> {
  const state = freshDir(bench);
  let url: string | undefined;
  const node = await serve(
    state,
    process.execPath,
    [
      program,
      'node',
      '--node-name',
      'far',
      '--state-dir',
      state,
      '--listen',
      '0',
      '--export',
      exportOf(source),
    ],
    (line) => (url ??= /ws:\/\/[\d.]+:\d+/.exec(line)?.[0]) !== undefined,
    plainEnvironment(),
  );
  return mounted(bench, url ?? '', join(state, 'node.json.listen', 'admin.token'), [node]);
}

async function byWayOfPlane(bench: Bench, source: string): Promise<Served> {
  const state = `${freshDir(bench)}-plane`;
  const control = await startControl(state);
  const tokenFile = adminTokenFile(state);
  const node = await startNode(bench, control.url, tokenFile, 'far', '--export', exportOf(source));
  return mounted(bench, control.url, tokenFile, [control, node]);
}

/** What `url` shows of the export, with what it takes; all of it ends together. */
async function mounted(
  bench: Bench,
  url: string,
  tokenFile: string,
  running: readonly Served[],
): Promise<Served> {
  const mount = await mountPlane(bench, url, tokenFile);
  return {
    dir: join(mount.dir, 'nodes/far/fs/bench'),
    pid: mount.pid,
    async stop() {
      for (const each of [mount, ...running.toReversed()]) await each.stop();
    },
  };
}
