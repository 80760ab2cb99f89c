import t from 'tap';
import type { ServiceId } from '../../lib/core/index.js';
import { createDriver } from '../../lib/drivers/index.js';
import type { ProbeDefinition, ProcessRuntime } from '../../lib/manifest/index.js';
import { TerminalDriver } from '../../lib/providers/index.js';
import { Supervisor } from '../../lib/supervise/index.js';
import {
  callOf,
  limits,
  openDescriptors,
  processRuntime,
  resultOf,
  serviceId,
  testContext,
} from '../support/drivers.js';
import { until } from '../support/until.js';

const SCRIPT = 'cat /dev/stdin > /dev/stdout && echo said > /dev/stderr';
const FRAMES = `while read -r line; do
  id=\${line#*'"id":"'}; id=\${id%%'"'*}
  echo heard > /dev/stderr; echo '{"id":"'$id'","result":{"a":1}}' > /dev/stdout
done < /dev/stdin`;
const NOBODY = { uid: 65534, gid: 65534 };
const users = process.getuid?.() === 0 ? [null, NOBODY] : [null];

for (const driverUser of users) {
  const whose = driverUser === null ? 'of the node' : 'of another user';
  const modes: readonly [ProcessRuntime['mode'], string][] = [
    ['oneshot', SCRIPT],
    ['warm', SCRIPT],
    ['persistent', FRAMES],
  ];
  for (const [mode, script] of modes)
    t.test(`a ${mode} driver ${whose} opens /dev/stdin, /dev/stdout and /dev/stderr`, async (t) => {
      const context = { ...testContext(), driverUser };
      const runtime = processRuntime({ mode, executablePath: 'sh', args: ['-c', script], cwd: '/' });
      const driver = createDriver({ serviceId, runtime }, context)!;
      const call = callOf({ a: 1 });
      t.same(resultOf(await driver.invoke(call)), { a: 1 });
      if (mode !== 'persistent') t.equal(call.heard.stderr, 'said\n');
      await driver.close();
      context.remove();
    });

  t.test(`a command of a terminal ${whose} opens /dev/stdin, /dev/stdout and /dev/stderr`, async (t) => {
    const context = { ...testContext(), driverUser };
    const driver = new TerminalDriver({ serviceId, limits: limits(), cwd: '/' }, context);
    const argv = ['sh', '-c', 'cat /dev/stdin && echo out > /dev/stdout && echo err > /dev/stderr'];
    const result = resultOf(await driver.invoke(callOf({ argv })));
    t.match(result, { exit_code: 0, stdout: 'out\n', stderr: 'err\n' });
    await driver.close();
    context.remove();
  });

  t.test(`a probe ${whose} opens /dev/stdout`, async (t) => {
    const context = { ...testContext(), driverUser };
    const probe: ProbeDefinition = {
      type: 'exec',
      command: ['sh', '-c', 'cat /dev/stdin && echo well > /dev/stdout'],
      payload: {},
      intervalMs: 20,
      timeoutMs: 5_000,
      healthyAfter: 1,
      unhealthyAfter: 1,
    };
    const supervisor = new Supervisor({ serviceId: 's' as ServiceId, enabled: true, config: {}, context });
    supervisor.attach(null, { type: 'static', limits: limits(), probe });
    await until(() => supervisor.health.probe !== null, 'it was probed');
    t.match(supervisor.health, { state: 'online', probe: { message: 'well' } });
    await supervisor.close();
    context.remove();
  });
}

t.test('programs that cannot be started, and calls that end, leave no descriptor', async () => {
  const context = testContext();
  const driver = createDriver(
    { serviceId, runtime: processRuntime({ executablePath: '/bin/cat' }) },
    context,
  )!;
  const terminal = new TerminalDriver({ serviceId, limits: limits(), cwd: '/' }, context);
  const round = async (): Promise<void> => {
    resultOf(await driver.invoke(callOf({ a: 1 })));
    resultOf(await terminal.invoke(callOf({ argv: ['/nowhere/at-all'] })));
    await terminal.invoke(callOf({ argv: ['echo', 'x'.repeat(200_000)] }));
  };
  await round();
  const before = openDescriptors();
  for (let count = 0; count < 5; count++) await round();
  await until(() => openDescriptors() <= before, 'all descriptors were closed');
  await driver.close();
  context.remove();
});
