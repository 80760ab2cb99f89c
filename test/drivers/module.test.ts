import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createDriver, type Driver } from '../../lib/drivers/index.js';
import type { ModuleRuntime } from '../../lib/manifest/index.js';
import {
  callOf,
  fixture,
  limits,
  openDescriptors,
  resultOf,
  serviceId,
  testContext,
} from '../support/drivers.js';
import { until } from '../support/until.js';
import { driverSuite, failsWith } from '../suites/driver-suite.js';

const runtime = (changes: Partial<ModuleRuntime>): ModuleRuntime => ({
  type: 'module',
  modulePath: fixture('many.mjs'),
  env: { SET: 'by the manifest' },
  limits: limits(),
  probe: null,
  ...changes,
});

t.test('module', async (t) =>
  driverSuite(t, (context, limits) => createDriver({ serviceId, runtime: runtime({ limits }) }, context)!, {
    exitStatus: false,
    printsResult: false,
    isolatesCalls: true,
    environment: true,
  }),
);

const context = testContext();
t.teardown(() => context.remove());

function driverOf(t: Test, changes: Partial<ModuleRuntime> = {}): Driver {
  const driver = createDriver({ serviceId, runtime: runtime(changes) }, context)!;
  t.teardown(() => driver.close());
  return driver;
}

t.test('a module that does not end when asked to is ended after the grace', async (t) => {
  const driver = driverOf(t, { limits: limits({ timeoutMs: 2_000, killGraceMs: 50 }) });
  failsWith(t, await driver.invoke(callOf({ do: 'deaf' })), 'ETIMEDOUT');
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
});

t.test('what a module returns has to be JSON', async (t) => {
  failsWith(t, await driverOf(t).invoke(callOf({ do: 'garbage' })), 'EIO', /function, which is not JSON/);
});

t.test('an error outside of the call ends the thread, and not the node', async (t) => {
  const driver = driverOf(t);
  failsWith(t, await driver.invoke(callOf({ do: 'throw-later' })), 'EIO', /thrown later/);
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
});

t.test('memory_bytes holds', async (t) => {
  const driver = driverOf(t, { limits: limits({ memoryBytes: 32 * 1_048_576 }) });
  failsWith(t, await driver.invoke(callOf({ do: 'hog' })), 'EIO', /memory/);
});

t.test('what is wrong with a module is known when it is loaded, and mending it is noticed', async (t) => {
  const modulePath = join(t.testdir(), 'driver.mjs');
  const driver = driverOf(t, { modulePath });
  t.match(driver.fault?.message, /does not exist/);
  failsWith(t, await driver.invoke(callOf({})), 'EIO', /does not exist/);
  writeFileSync(modulePath, 'export function invoke( {');
  await until(() => /SyntaxError/.test(driver.fault?.message ?? ''), 'the syntax error is found');
  writeFileSync(modulePath, 'export const call = 1;');
  await until(() => /export async function invoke/.test(driver.fault?.message ?? ''), 'the export is missed');
  writeFileSync(modulePath, 'export const invoke = () => 1;');
  await until(() => driver.fault === null, 'it works');
  t.equal(resultOf(await driver.invoke(callOf({}))), 1);
  writeFileSync(modulePath, 'export const invoke = () => "two";');
  t.equal(resultOf(await driver.invoke(callOf({}))), 'two', 'a changed module is loaded anew');
});

t.test('a call reads the config that it began with, and nothing is kept of those before', async (t) => {
  const modulePath = join(t.testdir(), 'driver.mjs');
  writeFileSync(
    modulePath,
    `import { readFileSync } from 'node:fs';
     export const invoke = async ({ wait }, { configFile }) => {
       if (wait) await new Promise((resolve) => setTimeout(resolve, 300));
       return JSON.parse(readFileSync(configFile, 'utf8'));
     };`,
  );
  const driver = driverOf(t, { modulePath });
  const first = driver.invoke(callOf({ wait: true }, { config: { n: -1 } }));
  t.strictSame(resultOf(await driver.invoke(callOf({}, { config: { n: 0 } }))), { n: 0 });
  t.strictSame(resultOf(await first), { n: -1 });
  const before = openDescriptors();
  for (let n = 1; n < 20; n++)
    t.strictSame(resultOf(await driver.invoke(callOf({}, { config: { n } }))), { n });
  t.equal(openDescriptors(), before);
});
