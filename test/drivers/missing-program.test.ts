import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createDriver, type Driver } from '../../lib/drivers/index.js';
import type { ProcessRuntime } from '../../lib/manifest/index.js';
import { callOf, processRuntime, resultOf, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';
import { failsWith } from '../suites/driver-suite.js';

const context = testContext();
t.teardown(() => context.remove());

function driverOf(t: Test, changes: Partial<ProcessRuntime>): Driver {
  const driver = createDriver({ serviceId, runtime: processRuntime(changes) }, context)!;
  t.teardown(() => driver.close());
  return driver;
}

t.test('what is wrong with a program is known before it is called, and says so', async (t) => {
  const folder = t.testdir({ plain: 'not executable', orphan: '#!/no/such/interpreter\n' });
  chmodSync(join(folder, 'orphan'), 0o755);
  const cases: [Partial<ProcessRuntime>, RegExp][] = [
    [{ executablePath: '/no/such/driver' }, /does not exist/],
    [{ executablePath: 'no-such-driver-on-path' }, /not on PATH/],
    [{ executablePath: folder }, /not a file/],
    [{ executablePath: join(folder, 'plain') }, /cannot be executed/],
    [{ executablePath: join(folder, 'orphan') }, /\/no\/such\/interpreter/],
    [{ executablePath: '/bin/cat', cwd: '/no/such/folder' }, /working directory/],
  ];
  for (const [changes, message] of cases) {
    const driver = driverOf(t, changes);
    t.match(driver.fault?.message, message);
    t.ok(driver.fault?.hint, 'it says what to do');
    failsWith(t, await driver.invoke(callOf({})), 'EIO', message);
  }
});

t.test('a program that appears, vanishes and comes back is noticed', async (t) => {
  const file = join(t.testdir(), 'driver');
  const write = (): void => writeFileSync(file, '#!/bin/sh\ncat\n', { mode: 0o755 });
  const driver = driverOf(t, { executablePath: file });
  const faults: (string | null)[] = [];
  driver.onFault((fault) => faults.push(fault?.code ?? null));
  write();
  await until(() => driver.fault === null, 'the program is found');
  t.same(resultOf(await driver.invoke(callOf({ a: 1 }))), { a: 1 });
  rmSync(file);
  failsWith(t, await driver.invoke(callOf({})), 'EIO');
  t.not(driver.fault, null);
  write();
  t.ok((await driver.invoke(callOf({}))).ok, 'a call looks again at once');
  t.same(faults, [null, 'EIO', null]);
});
