import { copyFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createDriver } from '../../lib/drivers/index.js';
import type { WarmDriver } from '../../lib/drivers/native-proc/warm.js';
import type { ProcessRuntime } from '../../lib/manifest/index.js';
import { callOf, fixture, processRuntime, resultOf, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';
import { FakeClock } from '../support/fake-clock.js';
import { driverSuite } from '../suites/driver-suite.js';

const runtime = (changes: Partial<ProcessRuntime>): ProcessRuntime =>
  processRuntime({ mode: 'warm', env: { SET: 'by the manifest' }, ...changes });

t.test('native_proc in mode warm', async (t) =>
  driverSuite(t, (context, limits) => createDriver({ serviceId, runtime: runtime({ limits }) }, context)!, {
    exitStatus: true,
    printsResult: true,
    isolatesCalls: true,
    environment: true,
  }),
);

const context = testContext();
t.teardown(() => context.remove());

async function driverOf(t: Test, changes: Partial<ProcessRuntime> = {}): Promise<WarmDriver> {
  await until(() => context.processes().length === 0, 'those of the driver before are gone');
  const driver = createDriver({ serviceId, runtime: runtime(changes) }, context) as WarmDriver;
  t.teardown(() => driver.close());
  // A process that is about to become its program shows no variables for a moment.
  await until(() => driver.waiting === 2 && context.processes().length === 2, 'processes wait');
  return driver;
}

const pidOf = async (driver: WarmDriver, config = {}): Promise<number> =>
  resultOf(await driver.invoke(callOf({ do: 'context' }, { config })))['pid'] as number;

t.test('a call is served by a process that was there before it, and no process by two calls', async (t) => {
  const driver = await driverOf(t);
  const before = context.processes();
  const pids = [await pidOf(driver), await pidOf(driver)];
  t.ok(pids.every((pid) => before.includes(pid)));
  t.not(pids[0], pids[1]);
  await until(() => driver.waiting === 2, 'processes wait again');
});

t.test('a process started before the program was changed is never used', async (t) => {
  const script = join(t.testdir(), 'many.py');
  copyFileSync(fixture('many.py'), script);
  const driver = await driverOf(t, { executablePath: 'python3', args: [script] });
  const before = context.processes();
  utimesSync(script, 1, 1);
  t.notOk(before.includes(await pidOf(driver)));
});

t.test('a process started before the config was changed is never used', async (t) => {
  const driver = await driverOf(t);
  await pidOf(driver, { a: 1 });
  await until(() => driver.waiting === 2, 'processes wait again');
  const before = context.processes();
  t.notOk(before.includes(await pidOf(driver, { a: 2 })));
});

t.test(
  'a burst of calls comes first: replacements start when half are used, or when no call comes',
  async (t) => {
    const clock = new FakeClock(Date.now());
    const changes = runtime({ warmCount: 4 });
    const driver = createDriver({ serviceId, runtime: changes }, { ...context, clock }) as WarmDriver;
    t.teardown(() => driver.close());
    await pidOf(driver);
    await nextTurn();
    t.equal(driver.waiting, 3, 'the first of four is not replaced while more calls may come');
    await pidOf(driver);
    await until(() => driver.waiting === 3, 'one is replaced for the second');
    clock.advance(1_000);
    t.equal(driver.waiting, 4, 'and the rest once it is quiet');
  },
);

t.test('restarting replaces what waits', async (t) => {
  const driver = await driverOf(t);
  const before = context.processes();
  await driver.restart();
  t.notOk(before.includes(await pidOf(driver)));
});

t.test('a waiting process that ends is not used, and not replaced in a loop', async (t) => {
  const driver = await driverOf(t);
  for (const pid of context.processes()) kill(pid);
  await until(() => driver.waiting === 0, 'they are gone');
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
});

t.test('where args depend on the request, a process is started for each call', async (t) => {
  const changes = { executablePath: 'printf', args: ['{payload.a}'], output: 'text' } as const;
  const driver = createDriver({ serviceId, runtime: runtime(changes) }, context)!;
  t.teardown(() => driver.close());
  t.same(resultOf(await driver.invoke(callOf({ a: 'b' }))), { text: 'b' });
});

/** One that the test before it has closed may have ended just now. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}
