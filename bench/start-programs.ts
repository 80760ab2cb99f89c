// start-programs.js MIB ROUNDS SECONDS: starts `cat` again and again, out of a process that holds so much memory. Prints JSON.
import { silentLog, systemClock } from '../lib/core/index.js';
import { CallProcess } from '../lib/drivers/native-proc/call-process.js';
import type { Command } from '../lib/drivers/native-proc/command.js';
import { interleave, medians } from './interleave.js';

const [mebibytes = 0, rounds = 3, seconds = 1] = process.argv.slice(2).map(Number);
const PAYLOAD = Buffer.from('{"text":"hello"}');
const CALLERS = 8;

const plain: Command = { file: '/bin/cat', args: [], cwd: '/', env: { PATH: '/usr/bin:/bin' }, ids: null };
/** A program that is to be somebody is started by Node's own spawn, also where that is who we are. */
const byNode: Command = { ...plain, ids: { uid: process.getuid!(), gid: process.getgid!() } };
const ways = new Map([
  ['Node', byNode],
  ['posix_spawn', plain],
]);

/** Touched, and as many objects as a heap of that size has: both count when a process is copied. */
const held = Array.from({ length: mebibytes * 8 }, (_, at) => new Array<number>(16_384).fill(at + 0.5));

const figures: Record<string, Record<string, number>> = {};
const blocked = new Map<string, number[]>([...ways.keys()].map((name) => [name, []]));
const cpu = new Map<string, number[]>([...ways.keys()].map((name) => [name, []]));

/** Calls a second, by so many callers. */
async function turn(name: string, callers: number): Promise<number> {
  let calls = 0;
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  const caller = async (): Promise<void> => {
    for (; performance.now() - start < seconds * 1000; calls++) {
      const before = performance.now();
      const call = new CallProcess(ways.get(name)!, { ledger: null, clock: systemClock, log: silentLog });
      if (callers === 1) blocked.get(name)!.push(performance.now() - before);
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
  if (callers === 1) cpu.get(name)!.push((user + system) / 1000 / calls);
  return perSecond;
}

for (const [what, callers] of [
  ['one', 1],
  ['together', CALLERS],
] as const)
  figures[what] = medians(
    await interleave(new Map([...ways.keys()].map((name) => [name, () => turn(name, callers)])), rounds),
  );
figures['blocked'] = medians(blocked);
figures['cpu'] = medians(cpu);
process.stdout.write(JSON.stringify({ ...figures, held: { arrays: held.length } }));
