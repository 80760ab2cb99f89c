import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RemoteTree } from '../../lib/compose/index.js';
import type { RemoteVfs } from '../../lib/tunnel/index.js';
import { noPostgres, PostgresServer } from '../../test/support/postgres.js';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { alternate, interleave, medians } from '../interleave.js';
import { freshDir } from '../mounts.js';
import { adminTokenFile, startControl, startNode } from '../plane.js';
import { BenchOp, fileAt, READ, readSmall, WRITE } from '../remote-files.js';

const STREAM_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 128 * 1024;
const NEAR = 'its own replica';
const FAR = 'another replica';

export const relay: BenchCase = {
  name: 'relay',
  title: 'the files of a node, asked for at the replica that has it and at another one',
  async run(bench) {
    if (noPostgres !== false) throw new CannotRun(noPostgres);
    const undo: (() => void | Promise<void>)[] = [];
    try {
      const server = await PostgresServer.primary({ teardown: (callback) => void undo.push(callback) });
      const store = PostgresServer.url(server);
      const first = `${freshDir(bench)}-replica`;
      const holder = await startControl(first, '0', '--store', store);
      undo.push(() => holder.stop());
      const other = await startControl(`${freshDir(bench)}-replica`, '0', '--store', store);
      undo.push(() => other.stop());
      const source = await makeSource(bench);
      const exported = `bench=${source}:rw${process.getuid?.() === 0 ? ':as=root' : ''}`;
      const tokenFile = adminTokenFile(first);
      const node = await startNode(bench, holder.url, tokenFile, 'far', '--export', exported);
      undo.push(() => node.stop());
      const trees = new Map<string, RemoteVfs>();
      for (const [name, { url }] of [
        [NEAR, holder],
        [FAR, other],
      ] as const) {
        const tree = new RemoteTree({ url, token: readFileSync(tokenFile, 'utf8').trim() });
        await tree.start();
        undo.push(() => tree.close());
        trees.set(name, tree.vfs);
      }
      return await measure(bench, trees, source);
    } finally {
      for (const callback of undo.reverse()) await callback();
    }
  },
};

async function measure(bench: Bench, trees: ReadonlyMap<string, RemoteVfs>, source: string): Promise<Row[]> {
  const each = <Result>(act: (vfs: RemoteVfs) => Result): Map<string, () => Result> =>
    new Map([...trees].map(([name, vfs]) => [name, () => act(vfs)]));
  const rows: Row[] = [];
  bench.say('small reads');
  const small = each((vfs) => readSmall(vfs, `${BOX}/small`));
  await alternate(small, 0.5);
  rows.push({
    what: 'open+read 1 K+close, p50',
    unit: 'us',
    better: 'less',
    values: medians(await alternate(small, bench.seconds * bench.rounds)),
    baseline: NEAR,
    aim: '<= 1.5x',
  });
  for (const { what, act } of [
    { what: 'read 64 MiB', act: readAll },
    { what: 'write 64 MiB', act: writeAll },
  ]) {
    bench.say(what);
    const turns = each(async (vfs) => {
      // What has just been changed is kept in no cache.
      await utimes(join(source, 'big'), new Date(), new Date());
      return act(vfs);
    });
    await interleave(turns, 1);
    rows.push({
      what,
      unit: 'MB/s',
      better: 'more',
      values: medians(await interleave(turns, bench.rounds)),
      baseline: NEAR,
      aim: '>= 0.7x',
    });
  }
  return rows;
}

const BOX = 'nodes/far/fs/bench';

async function makeSource(bench: Bench): Promise<string> {
  const dir = `${freshDir(bench)}-source`;
  await mkdir(dir);
  await writeFile(join(dir, 'big'), Buffer.alloc(STREAM_BYTES, 'x'));
  await writeFile(join(dir, 'small'), Buffer.alloc(1024));
  await writeFile(join(dir, 'written'), '');
  return dir;
}

/** Answers MB/s. */
async function readAll(vfs: RemoteVfs): Promise<number> {
  const handle = await (await fileAt(vfs, `${BOX}/big`, new BenchOp())).open(READ, new BenchOp());
  const begunMs = performance.now();
  let at = 0;
  for (;;) {
    const { byteLength } = await handle.read(at, PIECE_BYTES, new BenchOp());
    at += byteLength;
    if (byteLength < PIECE_BYTES) break;
  }
  const seconds = (performance.now() - begunMs) / 1000;
  await handle.release();
  if (at !== STREAM_BYTES) throw new Error(`${at} bytes were read, not ${STREAM_BYTES}.`);
  return at / seconds / 1e6;
}

async function writeAll(vfs: RemoteVfs): Promise<number> {
  const piece = Buffer.alloc(PIECE_BYTES, 'y');
  const handle = await (await fileAt(vfs, `${BOX}/written`, new BenchOp())).open(WRITE, new BenchOp());
  const begunMs = performance.now();
  for (let at = 0; at < STREAM_BYTES; at += PIECE_BYTES) await handle.write(at, piece, new BenchOp());
  await handle.flush?.(new BenchOp());
  const seconds = (performance.now() - begunMs) / 1000;
  await handle.release();
  return STREAM_BYTES / seconds / 1e6;
}
