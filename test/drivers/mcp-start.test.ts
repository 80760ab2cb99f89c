import { tmpdir } from 'node:os';
import t from 'tap';
import { createDriver } from '../../lib/drivers/index.js';
import type { McpRuntime } from '../../lib/manifest/index.js';
import { callOf, limits, serviceId, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';
import { failsWith } from '../suites/driver-suite.js';

t.test('a server that never begins to speak holds up nobody who ends or restarts it', async (t) => {
  const bounds = limits();
  const runtime: McpRuntime = {
    type: 'mcp',
    server: {
      ...{ serviceId, program: { executablePath: 'sleep', args: ['600'], cwd: tmpdir() } },
      ...{ url: null, headers: {}, env: {}, envFile: null },
      ...{ session: 'shared', elicitation: false, limits: bounds },
    },
    ...{ offer: { kind: 'tool', name: 'act' }, tools: null, limits: bounds, probe: null },
  };
  const context = testContext();
  const driver = createDriver({ serviceId, runtime }, context)!;
  const call = callOf({ do: 'echo' });
  const running = driver.invoke(call);
  await until(() => context.processes().length > 0, 'it runs');
  const began = Date.now();
  await driver.restart();
  call.cancel();
  const outcome = await running;
  t.notOk(outcome.ok);
  const next = callOf({ do: 'echo' });
  const waiting = driver.invoke(next);
  await until(() => context.processes().length > 0, 'it runs again');
  next.cancel();
  failsWith(t, await waiting, 'ECANCELED');
  await driver.close();
  t.ok(Date.now() - began < 20_000);
  t.same(context.processes(), []);
  context.remove();
});
