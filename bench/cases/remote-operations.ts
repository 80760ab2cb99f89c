import { join } from 'node:path';
import { localSession } from '../../lib/policy/index.js';
import { RemoteVfs } from '../../lib/tunnel/index.js';
import { walk, type FileNode, type Op, type OpenFlags } from '../../lib/vfs/index.js';
import type { Bench, BenchCase, Row } from '../bench.js';
import { freshDir } from '../doors.js';
import { interleave, median, medians } from '../interleave.js';
import { dialFiles, RawSocket } from '../remote.js';
import { serve, type Served } from '../served.js';
import { runLoad } from '../tools.js';

const PIECE = 128 * 1024;
const STREAM_BYTES = 64 * 1024 * 1024;
const MESSAGE_BYTES = 256 * 1024;
const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
const WRITE: OpenFlags = { ...READ, read: false, write: true };
const SMALL = Buffer.alloc(200, 'x');

const SMALL_FILES = [
  { what: 'open+read 1 K+close, live', load: 'read', file: 'live', remote: readSmall, aim: '<= 1.5x' },
  { what: 'open+read 1 K+close, descriptor', load: 'read', file: 'doc', remote: readSmall, aim: '<= 1.5x' },
  { what: 'stat, live', load: 'stat', file: 'live', remote: statOnce },
  { what: 'open+write 200 B+close, live', load: 'write', file: 'live', remote: writeSmall },
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
      for (const { what, load, file, remote, ...more } of SMALL_FILES) {
        bench.say(what);
        const mounted = (dir: string) => async (): Promise<number> =>
          (await runLoad(tools, load, join(dir, file), 1, bench.seconds)).p50_us;
        const turns = new Map([
          ['ws', () => medianOf(bench, () => raw.roundTrip(1024))],
          ['tunnel', () => medianOf(bench, () => remote(vfs, file))],
          ['mounted tunnel', mounted(remoteMount.dir)],
          ['local mount', mounted(localMount.dir)],
        ]);
        const values = medians(await interleave(turns, bench.rounds));
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

async function startFar(bench: Bench): Promise<Served & { url: string }> {
  let url = '';
  const program = join(import.meta.dirname, '../serve-tunnel.js');
  const served = await serve(freshDir(bench), process.execPath, [program], (line) => {
    url = line;
    return true;
  });
  return { ...served, url };
}

function mountFar(bench: Bench, url: string): Promise<Served> {
  const dir = freshDir(bench);
  return serve(dir, process.execPath, [join(import.meta.dirname, '../mount-tunnel.js'), url, dir]);
}

function mountLocal(bench: Bench): Promise<Served> {
  const dir = freshDir(bench);
  const program = join(import.meta.dirname, '../serve-memory.js');
  return serve(dir, process.execPath, [program, 'kernel', 'live', dir]);
}

/** As a door makes one: for one request, its signal at hand if somebody asks. */
class BenchOp implements Op {
  static readonly #session = localSession('admin');
  readonly session = BenchOp.#session;
  get signal(): AbortSignal {
    return new AbortController().signal;
  }
}

async function fileAt(vfs: RemoteVfs, name: string, op: Op): Promise<FileNode> {
  return (await walk(vfs.root, name, op)) as FileNode;
}

async function readSmall(vfs: RemoteVfs, name: string): Promise<void> {
  const handle = await (await fileAt(vfs, name, new BenchOp())).open(READ, new BenchOp());
  await handle.read(0, 4096, new BenchOp());
  await handle.release();
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

/** The median time of an action done over and over, us. */
async function medianOf(bench: Bench, action: () => Promise<unknown>): Promise<number> {
  const figures: number[] = [];
  const endMs = performance.now() + bench.seconds * 1000;
  for (let start = performance.now(); start < endMs;) {
    await action();
    const now = performance.now();
    figures.push((now - start) * 1000);
    start = now;
  }
  return median(figures);
}

async function rateOf(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await action();
  return STREAM_BYTES / 1e3 / (performance.now() - start);
}
