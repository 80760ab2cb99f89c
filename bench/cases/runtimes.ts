import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { servicesIn, startAcheron } from '../acheron.js';
import { CannotRun, type Bench, type BenchCase, type Row } from '../bench.js';
import { bindingStarts, closeMounts, openMounts } from '../mounts.js';
import { interleave, median, medians, quantile } from '../interleave.js';
import { runLoad, top } from '../tools.js';
import { invokeThroughMount, spawnEcho, timed } from './invocation.js';

const PAYLOAD = '{"text":"hello"}';
const ECHO = join(top, 'dist/drivers/echo.js');

/** A caller who thinks between calls; long enough for a warm driver to be whole again, which takes it a start. */
const THINK_MS = 150;
const CALLS_WITH_PAUSES = 8;

/** One service for each runtime and mode, doing as little as it can. */
const RUNTIMES: Readonly<Record<string, object>> = {
  oneshot: { type: 'native_proc', executable_path: 'node', args: [ECHO] },
  'oneshot cat': { type: 'native_proc', executable_path: 'cat' },
  warm: { type: 'native_proc', executable_path: 'node', args: [ECHO], mode: 'warm', warm_count: 8 },
  persistent: {
    type: 'native_proc',
    executable_path: 'node',
    args: [join(top, 'dist/bench/echo-frames.js')],
    mode: 'persistent',
  },
  module: { type: 'module', module_path: join(top, 'dist/bench/echo-module.js') },
  wasm: { type: 'wasm', module_path: join(top, 'drivers/wasm/text-stats.wasm') },
};

export const runtimes: BenchCase = {
  name: 'runtimes',
  title: 'a call through the mount by runtime, beside a direct spawn and a bare FUSE write and read',
  async run(bench) {
    const folder = join(bench.folder, 'runtimes');
    await mkdir(folder, { recursive: true });
    for (const [name, runtime] of Object.entries(RUNTIMES)) await offer(folder, serviceOf(name), runtime);
    const bare = await openMounts(bench, new Map(bindingStarts(bench, 'live')));
    try {
      const up = await startAcheron(bench, '--no-bundled', '--services-dir', folder);
      try {
        const paths = new Map([...bare].map(([name, { dir }]) => [`bare ${name}`, join(dir, 'live')]));
        for (const name of Object.keys(RUNTIMES)) {
          const path = join(servicesIn(up.dir), serviceOf(name), 'control/invoke.json');
          if (
            await access(path).then(
              () => true,
              () => false,
            )
          )
            paths.set(name, path);
          else bench.say(`${name} cannot take part: this build does not run it`);
        }
        if (paths.size === bare.size) throw new CannotRun('no service of the mount can be called');
        return await measure(bench, paths);
      } finally {
        await up.stop();
      }
    } finally {
      await closeMounts(bare);
    }
  },
};

async function measure(bench: Bench, paths: ReadonlyMap<string, string>): Promise<Row[]> {
  const tools = await bench.tools();
  const p50 = new Map<string, number[]>();
  const p99 = new Map<string, number[]>();
  const one = new Map<string, () => Promise<number>>([['spawn', () => spawnTurn(bench, p50, p99)]]);
  const sixteen = new Map<string, () => Promise<number>>([['spawn', () => spawnRate(bench, 16)]]);
  const pauses = new Map([['spawn', () => withPauses(spawnEcho)]]);
  for (const [name, path] of paths) {
    if (!name.startsWith('bare')) pauses.set(name, () => withPauses(() => invokeThroughMount(path, PAYLOAD)));
    one.set(name, async () => {
      const figures = await runLoad(tools, 'call', path, 1, bench.seconds, PAYLOAD);
      note(p50, name, figures.p50_us / 1000);
      note(p99, name, figures.p99_us / 1000);
      return figures.per_second;
    });
    sixteen.set(
      name,
      async () => (await runLoad(tools, 'call', path, 16, bench.seconds, PAYLOAD)).per_second,
    );
  }
  bench.say('1 caller');
  const alone = medians(await interleave(one, bench.rounds));
  bench.say(`1 caller with pauses of ${THINK_MS} ms`);
  const thinking = medians(await interleave(pauses, bench.rounds));
  bench.say('16 callers');
  const together = medians(await interleave(sixteen, bench.rounds));
  const shared = { baseline: 'spawn', aim: 'warm <= 0.25x' };
  return [
    { what: 'p50, 1 caller', unit: 'ms', better: 'less', values: medians(p50), ...shared },
    { what: 'p50, with pauses', unit: 'ms', better: 'less', values: thinking, ...shared },
    { what: 'p99, 1 caller', unit: 'ms', better: 'less', values: medians(p99), baseline: 'spawn' },
    { what: 'calls, 1 caller', unit: '/s', better: 'more', values: alone, baseline: 'spawn' },
    { what: 'calls, 16 callers', unit: '/s', better: 'more', values: together, baseline: 'spawn' },
  ];
}

async function withPauses(call: () => Promise<void>): Promise<number> {
  const figures: number[] = [];
  for (let count = 0; count < CALLS_WITH_PAUSES; count++) {
    await sleep(THINK_MS);
    figures.push(await timed(call));
  }
  return median(figures);
}

async function spawnTurn(
  bench: Bench,
  p50: Map<string, number[]>,
  p99: Map<string, number[]>,
): Promise<number> {
  const figures: number[] = [];
  const start = performance.now();
  while (performance.now() - start < bench.seconds * 1000) figures.push(await timed(spawnEcho));
  note(p50, 'spawn', median(figures));
  note(p99, 'spawn', quantile(figures, 0.99));
  return (figures.length * 1000) / (performance.now() - start);
}

async function spawnRate(bench: Bench, callers: number): Promise<number> {
  let count = 0;
  const start = performance.now();
  const call = async (): Promise<void> => {
    for (; performance.now() - start < bench.seconds * 1000; count++) await spawnEcho();
  };
  await Promise.all(Array.from({ length: callers }, call));
  return (count * 1000) / (performance.now() - start);
}

function note(figures: Map<string, number[]>, name: string, figure: number): void {
  const list = figures.get(name) ?? [];
  list.push(figure);
  figures.set(name, list);
}

function serviceOf(runtime: string): string {
  return runtime.replaceAll(' ', '-');
}

async function offer(folder: string, service: string, runtime: object): Promise<void> {
  const manifest = {
    service_id: service,
    kind: 'bench',
    runtime,
    permissions: { allow_roles: ['admin'] },
  };
  await writeFile(join(folder, `${service}.json`), JSON.stringify(manifest));
}
