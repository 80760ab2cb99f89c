import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const run = promisify(execFile);
const CALLERS = 64;
/** Each has callers of its own, of whom nobody has looked at its directory before. */
const SERVICES = ['nap-1', 'nap-2', 'nap-3', 'nap-4', 'nap-5'];
const LOOKS = 4;
/** Soon enough whatever else takes longer. */
const SOON_MS = 300;
/** Where the machine is busy with others too: so many times what takes as many requests and meets no caller. */
const MAX_TIMES = 4;
/** Of the looks of one kind, so many may meet a moment in which the whole machine stands still. */
const UNLUCKY = 2;

t.test(`with ${CALLERS} callers of one service each look at it comes soon, the first too`, async (t) => {
  const runtime = { max_concurrency: CALLERS };
  const up = await Up.start(t, {
    binding: 'kernel',
    manifests: SERVICES.map((id) => shellManifest(id, 'cat >/dev/null; sleep 0.2; echo {}', { runtime })),
  });
  const stats: number[] = [];
  const listings: number[] = [];
  const yardsticks: number[] = [];
  for (const id of SERVICES) {
    const cwd = up.service(id);
    const took = async (command: string, args: readonly string[]): Promise<[ms: number, said: string]> => {
      const from = performance.now();
      const { stdout } = await run(command, args, { cwd });
      return [performance.now() - from, stdout];
    };
    const endCallers = await startCallers(t, cwd);
    for (let look = 0; look < LOOKS; look++) {
      listings.push((await took('ls', ['-l', 'control']))[0]);
      const [statMs, said] = await took('stat', ['-c', '%s', 'control/invoke.json', 'control/submit.json']);
      stats.push(statMs);
      const [invoke, submit] = said.split('\n');
      t.equal(invoke, submit, 'it shows the file, not what one of the callers has open');
      yardsticks.push((await took('ls', ['-l', '.']))[0]);
    }
    t.ok(await endCallers(), 'each call succeeded');
  }
  const firsts = listings.filter((_, at) => at % LOOKS === 0);
  const soonMs = Math.max(SOON_MS, MAX_TIMES * median(yardsticks));
  t.comment(
    JSON.stringify({ stats, listings, yardsticks, soonMs }, (_, ms) =>
      typeof ms === 'number' ? Math.round(ms) : (ms as unknown),
    ),
  );
  t.ok(
    slower(firsts, soonMs) < firsts.length / 2,
    `most of the first ls -l come within ${Math.round(soonMs)} ms`,
  );
  for (const [what, all] of Object.entries({ stat: stats, 'ls -l': listings }))
    t.ok(slower(all, soonMs) <= UNLUCKY, `nearly each ${what} comes within ${Math.round(soonMs)} ms`);
});

/** @returns what ends them, and returns whether all of their calls succeeded. */
async function startCallers(t: Test, cwd: string): Promise<() => Promise<boolean>> {
  const stop = join(temporaryDir(t), 'stop');
  const call = `while [ ! -e ${stop} ]; do echo "{}" > control/invoke.json || kill $$; done`;
  const callers = spawn('bash', ['-c', `for i in $(seq ${CALLERS}); do (${call}) & done; wait; exit 7`], {
    cwd,
    stdio: 'ignore',
    env: cleanEnvironment(),
  });
  const ended = once(callers, 'exit');
  t.teardown(() => callers.kill('SIGKILL'));
  const metrics = async (): Promise<{ invokes_total: number }> =>
    JSON.parse((await run('cat', ['metrics.json'], { cwd })).stdout) as { invokes_total: number };
  await until(async () => (await metrics()).invokes_total > CALLERS, 'calls under way');
  return async () => {
    await writeFile(stop, '');
    return (await ended)[0] === 7;
  };
}

function slower(all: readonly number[], thanMs: number): number {
  return all.filter((ms) => ms > thanMs).length;
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1]!;
}
