import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { AheadStarts, createDriver, type Driver, type DriverContext } from '../../lib/drivers/index.js';
import type { PersistentDriver } from '../../lib/drivers/native-proc/persistent.js';
import type { WarmDriver } from '../../lib/drivers/native-proc/warm.js';
import type { ProcessRuntime } from '../../lib/manifest/index.js';
import { Up } from '../support/acheron.js';
import { callOf, fixture, limits, processRuntime, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';

const context = testContext();
t.teardown(() => context.remove());

function driverOf<Kind extends Driver>(
  t: Test,
  ahead: AheadStarts,
  runtime: Parameters<typeof createDriver>[0]['runtime'],
): Kind {
  const held: DriverContext = { ...context, ahead };
  const driver = createDriver({ serviceId, runtime }, held) as Kind;
  t.teardown(() => driver.close());
  return driver;
}

const persistent: Partial<ProcessRuntime> = {
  mode: 'persistent',
  args: ['--persistent'],
};

t.test('processes are started ahead once the node is ready, and not before', async (t) => {
  const ahead = new AheadStarts(true);
  const gone = driverOf<PersistentDriver>(t, ahead, processRuntime(persistent));
  await gone.close();
  const one = driverOf<PersistentDriver>(t, ahead, processRuntime(persistent));
  const some = driverOf<WarmDriver>(t, ahead, processRuntime({ mode: 'warm' }));
  t.same([one.pid, some.waiting, context.processes()], [null, 0, []]);
  ahead.release();
  await until(() => one.pid !== null && some.waiting === 2, 'they are there');
  t.equal(gone.pid, null, 'none of a driver that was closed meanwhile');
});

t.test('a call that comes before that is served, by a process that stays', async (t) => {
  const ahead = new AheadStarts(true);
  const one = driverOf<PersistentDriver>(t, ahead, processRuntime(persistent));
  const some = driverOf<WarmDriver>(t, ahead, processRuntime({ mode: 'warm' }));
  const thread = driverOf(t, ahead, {
    type: 'module',
    modulePath: fixture('many.mjs'),
    env: {},
    limits: limits(),
    probe: null,
  });
  for (const driver of [one, some, thread]) t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
  const { pid } = one;
  t.type(pid, 'number');
  ahead.release();
  await until(() => some.waiting === 2, 'the rest is there');
  t.equal(one.pid, pid);
});

t.test('a node that is mounted starts them without a call', async (t) => {
  const up = await Up.start(t, {
    manifests: [
      {
        service_id: 'frames',
        kind: 'test',
        runtime: {
          type: 'native_proc',
          mode: 'persistent',
          executable_path: fixture('many.py'),
          args: ['--persistent'],
        },
      },
    ],
  });
  const { pid } = up.child;
  const children = (): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  await until(() => children().trim() !== '', 'a process of the driver is there');
  t.pass();
});
