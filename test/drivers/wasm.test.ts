import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createDriver, type Driver } from '../../lib/drivers/index.js';
import type { WasmRuntime } from '../../lib/manifest/index.js';
import { callOf, fixture, limits, resultOf, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';
import { temporaryDir } from '../support/test-node.js';
import { wasmThatAsksTheTime } from '../support/wasm-that-prints.js';
import { driverSuite, failsWith } from '../suites/driver-suite.js';

const runtime = (changes: Partial<WasmRuntime>): WasmRuntime => ({
  type: 'wasm',
  modulePath: fixture('many.wasm'),
  entrypoint: '_start',
  args: ['one', 'two'],
  env: { SET: 'by the manifest' },
  maxMemoryBytes: null,
  output: 'json',
  limits: limits(),
  probe: null,
  ...changes,
});

t.test('wasm', async (t) =>
  driverSuite(t, (context, limits) => createDriver({ serviceId, runtime: runtime({ limits }) }, context)!, {
    exitStatus: true,
    printsResult: true,
    isolatesCalls: false,
    environment: false,
  }),
);

const context = testContext();
t.teardown(() => context.remove());

function driverOf(t: Test, changes: Partial<WasmRuntime> = {}): Driver {
  const driver = createDriver({ serviceId, runtime: runtime(changes) }, context)!;
  t.teardown(() => driver.close());
  return driver;
}

t.test('a module gets its arguments, what the manifest sets and the config', async (t) => {
  const shown = resultOf(await driverOf(t).invoke(callOf({ do: 'context' }, { config: { a: [1] } })));
  t.match(shown, { set: 'by the manifest', args: 3, last: 'two', config: { a: [1] } });
});

t.test('what is not answered by the driver itself is asked of Node, each call anew', async (t) => {
  const modulePath = join(temporaryDir(t), 'time.wasm');
  writeFileSync(modulePath, wasmThatAsksTheTime('{"done":true}'));
  const driver = driverOf(t, { modulePath });
  for (let call = 0; call < 3; call++) t.same(resultOf(await driver.invoke(callOf({}))), { done: true });
});

t.test('a trap is EIO with its message', async (t) => {
  const driver = driverOf(t);
  failsWith(t, await driver.invoke(callOf({ do: 'trap' })), 'EIO', /unreachable/);
  t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
});

t.test('memory does not grow beyond max_memory_bytes', async (t) => {
  const driver = driverOf(t, { maxMemoryBytes: 2 * 1_048_576 });
  const { pages } = resultOf(await driver.invoke(callOf({ do: 'hog' })));
  t.ok((pages as number) <= 32, `${pages as number} pages`);
  const small = driverOf(t, { maxMemoryBytes: 65_536 });
  await until(() => small.fault !== null, 'the fault is found');
  t.match(small.fault?.message, /max_memory_bytes/);
});

t.test('another function can be the entry', async (t) => {
  const driver = driverOf(t, { entrypoint: 'other_entry' });
  t.same(resultOf(await driver.invoke(callOf({}))), { entry: 'other' });
});

t.test('what is wrong with a module is known when it is loaded', async (t) => {
  const folder = t.testdir();
  const text = join(folder, 'text.wasm');
  writeFileSync(text, 'not a module');
  // (module (import "env" "f" (func)))
  const foreign = join(folder, 'foreign.wasm');
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0];
  writeFileSync(foreign, Buffer.from([...head, 2, 9, 1, 3, 0x65, 0x6e, 0x76, 1, 0x66, 0, 0]));
  for (const [changes, message] of [
    [{ modulePath: join(folder, 'none.wasm') }, /does not exist/],
    [{ modulePath: text }, /not a WebAssembly module/],
    [{ modulePath: foreign }, /env\.f, which is not WASI/],
    [{ entrypoint: 'no_such' }, /exports no function "no_such"/],
  ] as const) {
    const driver = driverOf(t, changes);
    await until(() => driver.fault !== null, 'the fault is found');
    t.match(driver.fault?.message, message);
    failsWith(t, await driver.invoke(callOf({})), 'EIO', message);
  }
});
