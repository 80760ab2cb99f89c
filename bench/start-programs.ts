// start-programs.js LOAD MIB ROUNDS SECONDS: starts `cat` again and again, out of a process that holds so much memory; LOAD is
// the load generator, which does it in C. Prints JSON.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { silentLog, systemClock } from '../lib/core/index.js';
import { CallProcess } from '../lib/drivers/native-proc/call-process.js';
import type { Command } from '../lib/drivers/native-proc/command.js';
import { kernelLimits, limitPrefix } from '../lib/drivers/native-proc/resource-limits.js';
import { effectiveUser } from '../lib/linux/index.js';
import { DEFAULT_LIMITS } from '../lib/manifest/index.js';
import { interleave, medians } from './interleave.js';
import type { LoadFigures } from './tools.js';

const [load = '', ...numbers] = process.argv.slice(2);
const [mebibytes = 0, rounds = 3, seconds = 1] = numbers.map(Number);
const PAYLOAD = Buffer.from('{"text":"hello"}');
const CALLERS = 8;

const plain: Command = { file: '/bin/cat', args: [], cwd: '/', env: { PATH: '/usr/bin:/bin' }, ids: null };
const { uid, gid } = effectiveUser();
const NOBODY = 65_534;
/** Another user where this may be one. */
const ids = uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid, gid };
const limits = kernelLimits({ ...DEFAULT_LIMITS, memoryBytes: 2 ** 30, cpuSeconds: 60, openFiles: 100 });
/** Node's own spawn starts what another user has to search for. */
const byNode: Command = { ...plain, file: 'cat', ids };
const [, ...options] = limitPrefix(limits);
const commands: Record<string, Command> = {
  Node: { ...byNode, ids: { uid, gid } },
  posix_spawn: plain,
  'Node, user and limits': { ...byNode, file: 'prlimit', args: [...options, 'cat'] },
  'starter, user and limits': { ...plain, ids, limits },
};
const ways = Object.entries(commands).map(([name, command]) => ({
  name,
  command,
  blocked: [] as number[],
  cpu: [] as number[],
}));
type Way = (typeof ways)[number];

/** Touched, and as many objects as a heap of that size has: both count when a process is copied. */
const held = Array.from({ length: mebibytes * 8 }, (_, at) => new Array<number>(16_384).fill(at + 0.5));

const figures: Record<string, Record<string, number>> = {};

/** Calls a second, by so many callers. */
async function turn({ command, blocked, cpu }: Way, callers: number): Promise<number> {
  let calls = 0;
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  const caller = async (): Promise<void> => {
    for (; performance.now() - start < seconds * 1000; calls++) {
      const before = performance.now();
      const call = new CallProcess(command, { ledger: null, clock: systemClock, log: silentLog });
      if (callers === 1) blocked.push(performance.now() - before);
      const end = await call.run({
        stdin: PAYLOAD,
        timeoutMs: 60_000,
        limitMs: 60_000,
        killGraceMs: 1_000,
        maxOutputBytes: 1_000_000,
        signal: new AbortController().signal,
        onOutput: () => undefined,
      });
      if (!PAYLOAD.equals(end.stdout)) throw new Error(`cat answered ${end.how}: ${end.stderrTail}`);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const perSecond = (calls * 1000) / (performance.now() - start);
  const { user, system } = process.cpuUsage(cpuBefore);
  if (callers === 1) cpu.push((user + system) / 1000 / calls);
  return perSecond;
}

async function turnInC(callers: number): Promise<number> {
  const words = ['spawn', plain.file, String(callers), String(seconds), PAYLOAD.toString()];
  const { stdout } = await promisify(execFile)(load, words);
  return (JSON.parse(stdout) as LoadFigures).per_second;
}

for (const [what, callers] of [
  ['one', 1],
  ['together', CALLERS],
] as const)
  figures[what] = medians(
    await interleave(
      new Map([
        ['C', () => turnInC(callers)],
        ...ways.map((way) => [way.name, () => turn(way, callers)] as const),
      ]),
      rounds,
    ),
  );
figures['blocked'] = medians(new Map(ways.map((way) => [way.name, way.blocked])));
figures['cpu'] = medians(new Map(ways.map((way) => [way.name, way.cpu])));
process.stdout.write(JSON.stringify({ ...figures, held: { arrays: held.length } }));
