import { join } from 'node:path';
import { CannotRun, type Bench } from './bench.js';
import { BINDINGS } from '../lib/fuse/index.js';
import { serve, type Served } from './served.js';

/** Filesystems to compare, all mounted at once, by name; those that cannot take part are named by `say`. */
export type Mounts = ReadonlyMap<string, Served>;

/** Mounts what `starts` names; what cannot start is named with its reason and left out. */
export async function openMounts(
  bench: Bench,
  starts: ReadonlyMap<string, () => Promise<Served>>,
): Promise<Mounts> {
  const mounts = new Map<string, Served>();
  for (const [name, start] of starts) {
    try {
      mounts.set(name, await start());
    } catch (error) {
      if (!(error instanceof CannotRun)) {
        await closeMounts(mounts);
        throw error;
      }
      bench.say(`${name} cannot take part: ${error.message}`);
    }
  }
  return mounts;
}

/** Measures a live tree in memory through libfuse3 in C, multi- and single-threaded, and through each binding. */
export async function besideC<T>(bench: Bench, measure: (mounts: Mounts) => Promise<T>): Promise<T> {
  const mounts = await openMounts(
    bench,
    new Map([
      ['C', () => startYardstick(bench)],
      ['C -s', () => startYardstick(bench, '-s')],
      ...bindingStarts(bench, 'live'),
    ]),
  );
  try {
    return await measure(mounts);
  } finally {
    await closeMounts(mounts);
  }
}

export async function closeMounts(mounts: Mounts): Promise<void> {
  for (const mount of mounts.values()) await mount.stop();
}

let mounts = 0;

/** A new directory to mount on. */
export function freshDir(bench: Bench): string {
  return join(bench.folder, `mount-${mounts++}`);
}

/** bench/c/yardstick.c, in C on libfuse3. */
export async function startYardstick(bench: Bench, ...flags: readonly string[]): Promise<Served> {
  const tools = await bench.tools();
  if (tools.yardstick === null) throw new CannotRun(tools.withoutFuse ?? 'it was not built');
  const dir = freshDir(bench);
  return serve(dir, tools.yardstick, [...flags, '-f', dir]);
}

/** The same tree through each binding of this build. */
export function bindingStarts(
  bench: Bench,
  freshness: 'live' | 'announced',
): [string, () => Promise<Served>][] {
  return BINDINGS.map(({ name }) => [
    name,
    () => {
      const dir = freshDir(bench);
      const program = join(import.meta.dirname, 'serve-memory.js');
      return serve(dir, process.execPath, [program, name, freshness, dir]);
    },
  ]);
}
