import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { ServiceId } from '../../lib/core/index.js';
import type { ProbeDefinition } from '../../lib/manifest/index.js';
import { Supervisor } from '../../lib/supervise/index.js';
import { limits, testContext } from '../support/drivers.js';
import { until } from '../support/until.js';

t.test('the exit status of a probe is the health of its service: 0, 1 or another', async (t) => {
  const context = testContext();
  const file = `${context.folder}/status`;
  const set = (status: string): void => writeFileSync(file, status);
  set('0');
  const probe: ProbeDefinition = {
    type: 'exec',
    command: ['sh', '-c', `echo "as asked" >&2; exit $(cat ${file})`],
    payload: {},
    intervalMs: 20,
    timeoutMs: 5_000,
    healthyAfter: 1,
    unhealthyAfter: 1,
  };
  const serviceId = 's' as ServiceId;
  const supervisor = new Supervisor({ serviceId, enabled: true, config: {}, context });
  supervisor.attach(null, { type: 'static', limits: limits(), probe });
  await until(() => supervisor.health.probe !== null, 'it was probed');
  t.equal(supervisor.health.state, 'online');
  set('1');
  await until(() => supervisor.health.state === 'degraded', 'it warns');
  set('2');
  await until(() => supervisor.health.state === 'offline', 'it is critical');
  t.match(supervisor.health.reason, /as asked/);
  set('0');
  await until(() => supervisor.health.state === 'online', 'it is well again');
  await supervisor.close();
  t.same(context.processes(), []);
  context.remove();
});
