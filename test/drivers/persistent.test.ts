import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createDriver } from '../../lib/drivers/index.js';
import type { PersistentDriver } from '../../lib/drivers/native-proc/persistent.js';
import type { ProcessRuntime } from '../../lib/manifest/index.js';
import { callOf, processRuntime, resultOf, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';
import { driverSuite, failsWith } from '../suites/driver-suite.js';

const runtime = (changes: Partial<ProcessRuntime>): ProcessRuntime =>
  processRuntime({ mode: 'persistent', args: ['--persistent'], env: { SET: 'by the manifest' }, ...changes });

t.test('native_proc in mode persistent', async (t) =>
  driverSuite(t, (context, limits) => createDriver({ serviceId, runtime: runtime({ limits }) }, context)!, {
    exitStatus: false,
    printsResult: true,
    isolatesCalls: false,
    environment: true,
  }),
);

const context = testContext();
t.teardown(() => context.remove());

function driverOf(t: Test, changes: Partial<ProcessRuntime> = {}): PersistentDriver {
  const driver = createDriver({ serviceId, runtime: runtime(changes) }, context) as PersistentDriver;
  t.teardown(() => driver.close());
  return driver;
}

/** A persistent driver of one line of shell for each request, which is in `$line`. */
function shellDriver(t: Test, body: string, changes: Partial<ProcessRuntime> = {}): PersistentDriver {
  const script = join(t.testdir(), 'driver.sh');
  writeFileSync(script, `id() { echo "$line" | cut -d'"' -f4; }\n${body}\n`);
  return driverOf(t, { executablePath: 'sh', args: [script], ...changes });
}

t.test('one process serves call after call', async (t) => {
  const driver = driverOf(t);
  const pids = new Set<unknown>();
  for (let i = 0; i < 5; i++) pids.add(resultOf(await driver.invoke(callOf({ do: 'context' })))['pid']);
  t.equal(pids.size, 1);
});

t.test('when the process ends, the calls it had are EIO and are not run again', async (t) => {
  const log = join(t.testdir(), 'log');
  const driver = shellDriver(t, `while read -r line; do id >> ${log}; sleep 0.2; exit 4; done`);
  const outcomes = await Promise.all([driver.invoke(callOf({ a: 1 })), driver.invoke(callOf({ a: 2 }))]);
  for (const outcome of outcomes) failsWith(t, outcome, 'EIO', /status 4/);
  await until(() => driver.pid !== null, 'it was started again');
});

t.test('a dead process is a fault until another one works', async (t) => {
  const driver = driverOf(t);
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
  const faults: boolean[] = [];
  driver.onFault((fault) => faults.push(fault !== null));
  process.kill(driver.pid!, 'SIGKILL');
  await until(() => faults.length === 1, 'the fault is reported');
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok, 'a call waits for the next start');
  t.same(faults, [true, false]);
});

t.test('a driver that fails at each start is given up, which says why, until restarted', async (t) => {
  const marker = join(t.testdir(), 'fixed');
  const driver = shellDriver(
    t,
    `[ -e ${marker} ] || { echo "the configuration is wrong" >&2; exit 78; }
     while read -r line; do echo "{\\"id\\":\\"$(id)\\",\\"result\\":{\\"ok\\":true}}"; done`,
  );
  await until(() => driver.fault !== null, 'it failed');
  t.match(driver.fault?.message, /not started again.*the configuration is wrong/s);
  t.match(driver.fault?.hint, /restart/);
  failsWith(t, await driver.invoke(callOf({})), 'EIO', /configuration is wrong/);
  writeFileSync(marker, '');
  await driver.restart();
  t.same(resultOf(await driver.invoke(callOf({}))), { ok: true });
  t.equal(driver.fault, null);
});

t.test('a driver that can cancel keeps its process when a call is stopped', async (t) => {
  const driver = shellDriver(
    t,
    `echo '{"ready":{"cancel":true}}'
     while read -r line; do
       case $line in *slow*) echo "{\\"id\\":\\"$(id)\\",\\"stderr\\":\\"begun\\"}"; continue;; esac
       echo "{\\"id\\":\\"$(id)\\",\\"result\\":{\\"pid\\":$$}}"
     done`,
  );
  const { pid } = resultOf(await driver.invoke(callOf({})));
  const slow = callOf({ a: 'slow' });
  const running = driver.invoke(slow);
  await slow.firstOutput;
  slow.cancel();
  failsWith(t, await running, 'ECANCELED');
  t.equal(resultOf(await driver.invoke(callOf({})))['pid'], pid);
});

t.test('what a driver says of one call on its frames is heard by that call alone', async (t) => {
  const driver = shellDriver(
    t,
    `while read -r line; do
       echo "{\\"id\\":\\"$(id)\\",\\"stderr\\":\\"half way\\"}"
       echo "{\\"id\\":\\"$(id)\\",\\"result\\":12345678901234567890.10}"
     done`,
  );
  const call = callOf({});
  const outcome = await driver.invoke(call);
  t.equal(call.heard.stderr, 'half way');
  t.equal(outcome.ok && Buffer.from(outcome.result).toString(), '12345678901234567890.10', 'byte for byte');
});

t.test('stderr of the process never reaches a call of another principal', async (t) => {
  const driver = driverOf(t);
  const other = { role: 'user', agentId: 'another', projectId: null } as const;
  const waiting = callOf({ do: 'sleep', ms: 600 }, { caller: other });
  const running = driver.invoke(waiting);
  t.ok((await driver.invoke(callOf({ do: 'say' }))).ok);
  await running;
  t.equal(waiting.heard.stderr, '');
});

t.test('a missing program is a fault, and its coming is noticed', async (t) => {
  const file = join(t.testdir(), 'driver');
  const driver = driverOf(t, { executablePath: file, args: [] });
  t.match(driver.fault?.message, /does not exist/);
  failsWith(t, await driver.invoke(callOf({})), 'EIO', /does not exist/);
  const script =
    '#!/bin/sh\nwhile read -r line; do echo "{\\"id\\":\\"$(echo "$line" | cut -d\'"\' -f4)\\"}"; done\n';
  writeFileSync(file, script, { mode: 0o755 });
  t.same(resultOf(await driver.invoke(callOf({}))), {});
});

t.test(
  'once a release was swapped, the next call starts the new program, and what ran ends under the old',
  async (t) => {
    const dir = t.testdir({ one: {}, two: {} });
    for (const name of ['one', 'two'])
      writeFileSync(
        join(dir, name, 'driver'),
        `#!/bin/sh\nwhile read -r line; do id=$(echo "$line" | cut -d'"' -f4)
       case $line in *slow*) until test -e ${dir}/gate; do sleep 0.02; done;; esac
       echo "{\\"id\\":\\"$id\\",\\"result\\":{\\"by\\":\\"${name}\\"}}"; done\n`,
        { mode: 0o755 },
      );
    const release = (name: string): void => {
      symlinkSync(name, join(dir, 'next'));
      renameSync(join(dir, 'next'), join(dir, 'current'));
    };
    release('one');
    const driver = driverOf(t, { executablePath: join(dir, 'current', 'driver'), args: [] });
    const faults: unknown[] = [];
    driver.onFault((fault) => faults.push(fault));
    t.same(resultOf(await driver.invoke(callOf({}))), { by: 'one' });
    const slow = driver.invoke(callOf({ slow: true }));
    release('two');
    const next = driver.invoke(callOf({}));
    writeFileSync(join(dir, 'gate'), '');
    t.same(resultOf(await slow), { by: 'one' });
    t.same(resultOf(await next), { by: 'two' });
    t.same(resultOf(await driver.invoke(callOf({}))), { by: 'two' });
    rmSync(join(dir, 'current'));
    t.same(
      resultOf(await driver.invoke(callOf({}))),
      { by: 'two' },
      'one that is not there replaces nothing',
    );
    t.same(
      faults.filter((fault) => fault !== null),
      [],
    );
  },
);
