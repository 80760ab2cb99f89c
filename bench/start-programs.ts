// start-programs.js MIB ROUNDS SECONDS: starts `cat` again and again, out of a process that holds so much memory. Prints JSON.
import { silentLog, systemClock } from '../lib/core/index.js';
import { CallProcess } from '../lib/drivers/native-proc/call-process.js';
import type { Command } from '../lib/drivers/native-proc/command.js';
import { effectiveUser } from '../lib/linux/index.js';
import { interleave, medians } from './interleave.js';

const [mebibytes = 0, rounds = 3, seconds = 1] = process.argv.slice(2).map(Number);
const PAYLOAD = Buffer.from('{"text":"hello"}');
const CALLERS = 8;

const plain: Command = { file: '/bin/cat', args: [], cwd: '/', env: { PATH: '/usr/bin:/bin' }, ids: null };
/** A program that is to be somebody is started by Node's own spawn, also where that is who we are. */
const byNode: Command = { ...plain, ids: effectiveUser() };
const ways = [
  { name: 'Node', command: byNode, blocked: [] as number[], cpu: [] as number[] },
  { name: 'posix_spawn', command: plain, blocked: [] as number[], cpu: [] as number[] },
];
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

for (const [what, callers] of [
  ['one', 1],
  ['together', CALLERS],
] as const)
  figures[what] = medians(
    await interleave(new Map(ways.map((way) => [way.name, () => turn(way, callers)])), rounds),
  );
figures['blocked'] = medians(new Map(ways.map((way) => [way.name, way.blocked])));
figures['cpu'] = medians(new Map(ways.map((way) => [way.name, way.cpu])));
process.stdout.write(JSON.stringify({ ...figures, held: { arrays: held.length } }));
