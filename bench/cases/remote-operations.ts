import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { RemoteVfs } from '../../lib/tunnel/index.js';
import type { Bench, BenchCase, Row } from '../bench.js';
import { freshDir } from '../mounts.js';
import { alternate, interleave, medians } from '../interleave.js';
import { BenchOp, fileAt, READ, readMounted, readSmall, WRITE } from '../remote-files.js';
import { dialFiles, RawSocket, startFar } from '../remote.js';
import { serve, type Served } from '../served.js';
import { runLoad } from '../tools.js';

const PIECE = 128 * 1024;
const STREAM_BYTES = 64 * 1024 * 1024;
const MESSAGE_BYTES = 256 * 1024;
const SMALL = Buffer.alloc(200, 'x');

const SMALL_FILES = [
  { what: 'open+read 1 K+close, live', file: 'live', remote: readSmall, local: readMounted, aim: '<= 1.5x' },
  { what: 'the same, descriptor', file: 'doc', remote: readSmall, local: readMounted, aim: '<= 1.5x' },
  { what: 'stat, live', file: 'live', remote: statOnce, local: statSync },
  { what: 'open+write 200 B+close, live', file: 'live', remote: writeSmall, local: writeMounted },
] as const;

const STREAMS = [
  { what: 'read 64 MiB', load: 'stream', file: 'bigdirect', remote: readAll, raw: 'download' },
  { what: 'write 64 MiB', load: 'append', file: 'bigdirect', remote: writeAll, raw: 'upload' },
] as const;

export const remoteOperations: BenchCase = {
  name: 'remote-operations',
  title: 'a tree at the far side of a WebSocket: the socket alone, the tunnel, a mount of it, a local mount',
  async run(bench) {
    const far = await startFar(bench);
    const near: Served[] = [];
    const raw = await RawSocket.connect(far.url);
    const vfs = new RemoteVfs();
    vfs.attach(await dialFiles(far.url));
    try {
      near.push(await mountFar(bench, far.url), await mountLocal(bench));
      const [remoteMount, localMount] = near as [Served, Served];
      const tools = await bench.tools();
      const rows: Row[] = [];
      for (const { what, file, remote, local, ...more } of SMALL_FILES) {
        bench.say(what);
        const actions = new Map<string, () => unknown>([
          ['ws', () => raw.roundTrip(1024)],
          ['tunnel', () => remote(vfs, file)],
          ['mounted tunnel', () => local(join(remoteMount.dir, file))],
          ['local mount', () => local(join(localMount.dir, file))],
        ]);
        const values = medians(await alternate(actions, bench.seconds * bench.rounds));
        rows.push({ what, unit: 'us', better: 'less', values, baseline: 'ws', ...more });
      }
      for (const { what, load, file, remote, raw: direction } of STREAMS) {
        bench.say(what);
        const mounted = (dir: string) => async (): Promise<number> =>
          (await runLoad(tools, load, join(dir, file), 1, bench.seconds)).bytes_per_second / 1e6;
        const turns = new Map([
          ['ws', () => rateOf(() => raw[direction](MESSAGE_BYTES, STREAM_BYTES / MESSAGE_BYTES))],
          ['tunnel', () => rateOf(() => remote(vfs, file))],
          ['mounted tunnel', mounted(remoteMount.dir)],
          ['local mount', mounted(localMount.dir)],
        ]);
        const values = medians(await interleave(turns, bench.rounds));
        rows.push({ what, unit: 'MB/s', better: 'more', values, baseline: 'ws', aim: '>= 0.7x' });
      }
      return rows;
    } finally {
      raw.close();
      await vfs.close();
      for (const each of near) await each.stop();
      await far.stop();
    }
  },
};

function mountFar(bench: Bench, url: string): Promise<Served> {
  const dir = freshDir(bench);
  return serve(dir, process.execPath, [join(import.meta.dirname, '../mount-tunnel.js'), url, dir]);
}

function mountLocal(bench: Bench): Promise<Served> {
  const dir = freshDir(bench);
  const program = join(import.meta.dirname, '../serve-memory.js');
  return serve(dir, process.execPath, [program, 'kernel', 'live', dir]);
}

async function statOnce(vfs: RemoteVfs, name: string): Promise<void> {
  await (await fileAt(vfs, name, new BenchOp())).stat(new BenchOp());
}

async function writeSmall(vfs: RemoteVfs, name: string): Promise<void> {
  const handle = await (await fileAt(vfs, name, new BenchOp())).open(WRITE, new BenchOp());
  await handle.write(0, SMALL, new BenchOp());
  await handle.flush?.(new BenchOp());
  await handle.release();
}

async function readAll(vfs: RemoteVfs, name: string): Promise<void> {
  const handle = await (await fileAt(vfs, name, new BenchOp())).open(READ, new BenchOp());
  for (let at = 0; at < STREAM_BYTES; at += PIECE) await handle.read(at, PIECE, new BenchOp());
  await handle.release();
}

async function writeAll(vfs: RemoteVfs, name: string): Promise<void> {
  const piece = Buffer.alloc(PIECE);
  const handle = await (await fileAt(vfs, name, new BenchOp())).open(WRITE, new BenchOp());
  for (let at = 0; at < STREAM_BYTES; at += PIECE) await handle.write(at, piece, new BenchOp());
  await handle.flush?.(new BenchOp());
  await handle.release();
}

function writeMounted(path: string): void {
  const file = openSync(path, constants.O_WRONLY);
  writeSync(file, SMALL);
  closeSync(file);
}

async function rateOf(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await action();
  return STREAM_BYTES / 1e3 / (performance.now() - start);
}
