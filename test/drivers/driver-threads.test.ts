import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { createDriver, type Driver } from '../../lib/drivers/index.js';
import { callOf, limits, resultOf, serviceId, testContext } from '../support/drivers.js';
import { FakeClock } from '../support/fake-clock.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

/** Those that were started, and those that live. */
const threads = { started: 0, alive: 0 };
process.on('worker', (worker: Worker) => {
  threads.started++;
  threads.alive++;
  worker.once('exit', () => threads.alive--);
});

const GATED = `import { threadId } from 'node:worker_threads';
import { existsSync, writeFileSync } from 'node:fs';
export const invoke = async ({ gate }) => {
  if (gate !== undefined) writeFileSync(gate + '-' + threadId, '');
  while (gate !== undefined && !existsSync(gate)) await new Promise((next) => setTimeout(next, 5));
  return { threadId };
};`;

function driverOf(t: Test, script: string, clock = new FakeClock(Date.now())): [Driver, FakeClock, string] {
  const folder = temporaryDir(t);
  const modulePath = join(folder, 'module.mjs');
  writeFileSync(modulePath, script);
  const context = { ...testContext(), clock };
  threads.started = 0;
  const runtime = { type: 'module', modulePath, env: {}, limits: limits(), probe: null } as const;
  const driver = createDriver({ serviceId, runtime }, context)!;
  t.teardown(async () => {
    await driver.close();
    context.remove();
  });
  return [driver, clock, folder];
}

t.test('calls wait for the threads that there are, where these are quick enough', async (t) => {
  const [driver] = driverOf(t, GATED);
  const callers = Array.from({ length: 16 }, async () => {
    for (let count = 0; count < 25; count++) t.ok((await driver.invoke(callOf({}))).ok);
  });
  await Promise.all(callers);
  t.equal(threads.started, 1, 'as no time passed by that clock');
});

t.test(
  'calls that take longer get a thread each, which stay for the next burst and end when not needed',
  async (t) => {
    const [driver, clock, folder] = driverOf(t, GATED);
    const burst = async (name: string): Promise<Set<unknown>> => {
      const gate = join(folder, name);
      const calls = Array.from({ length: 8 }, () => driver.invoke(callOf({ gate })));
      await until(() => {
        clock.advance(5);
        return readdirSync(folder).filter((file) => file.startsWith(`${name}-`)).length === 8;
      }, 'a thread serves each');
      writeFileSync(gate, '');
      return new Set((await Promise.all(calls)).map((outcome) => resultOf(outcome)['threadId']));
    };
    t.equal((await burst('first')).size, 8);
    t.equal((await burst('second')).size, 8);
    t.equal(threads.started, 8, 'none was ended and started anew');
    clock.advance(10_000);
    await until(() => threads.alive === 4, 'the spare ones have ended');
    t.ok((await driver.invoke(callOf({}))).ok);
    t.equal(threads.started, 8);
  },
);

t.test(
  'a call that is cancelled while it waits for a thread is answered at once, and runs nothing',
  async (t) => {
    const [driver, , folder] = driverOf(t, GATED);
    const gate = join(folder, 'gate');
    const first = driver.invoke(callOf({ gate }));
    const second = callOf({});
    const waiting = driver.invoke(second);
    second.cancel();
    t.match(await waiting, { ok: false, error: { code: 'ECANCELED' } });
    writeFileSync(gate, '');
    t.ok((await first).ok);
  },
);

t.test('calls that waited for a thread that was ended get another', async (t) => {
  const [driver, , folder] = driverOf(t, GATED);
  const stuck = callOf({ gate: join(folder, 'never') });
  const first = driver.invoke(stuck);
  const others = [driver.invoke(callOf({})), driver.invoke(callOf({}))];
  stuck.cancel();
  t.notOk((await first).ok);
  for (const other of others) t.ok((await other).ok);
});

t.test('a module that never ends loading holds neither its calls nor the end of the driver', async (t) => {
  const [driver] = driverOf(
    t,
    'await new Promise((done) => setTimeout(done, 1e9)); export const invoke = () => ({});',
  );
  const call = callOf({});
  const waiting = driver.invoke(call);
  await until(() => threads.alive > 0, 'it loads');
  call.cancel();
  t.match(await waiting, { ok: false, error: { code: 'ECANCELED' } });
  await driver.close();
  await until(() => threads.alive === 0, 'its thread has ended');
});
