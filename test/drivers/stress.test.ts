import t from 'tap';
import { createDriver } from '../../lib/drivers/index.js';
import {
  callOf,
  limits,
  openDescriptors,
  processRuntime,
  serviceId,
  testContext,
} from '../support/drivers.js';
import { until } from '../support/until.js';
import { extent } from '../support/extent.js';

/** So many by default; more by hand, to look for what is rare. */
const CALLS = extent('ACHERON_STRESS_CALLS', { short: 120, long: 3000 });
const ABREAST = 8;

const SCRIPTS = [
  'cat',
  'sleep 600 & cat',
  'trap "" TERM; sleep 600 & sleep 600',
  'exit 7',
  'exec 0<&-; sleep 600',
  'yes',
  'sleep 0.05; cat >&2',
];

t.test('calls that end in every way at every moment leave no process and no descriptor', async (t) => {
  const context = testContext();
  const before = openDescriptors();
  const driver = createDriver(
    {
      serviceId,
      runtime: processRuntime({
        executablePath: 'sh',
        args: ['-c', '{payload.script}'],
        allowDash: true,
        limits: limits({ maxOutputBytes: 10_000, killGraceMs: 5 }),
      }),
    },
    context,
  )!;
  const ends = new Map<string, number>();
  let left = CALLS;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const script = SCRIPTS[left % SCRIPTS.length]!;
      const deadlineMs = Date.now() + 5 + Math.floor(Math.random() * 60);
      const call = callOf({ script }, { deadlineMs });
      const cancelling = setTimeout(call.cancel, Math.random() * 120);
      const outcome = await driver.invoke(call);
      clearTimeout(cancelling);
      const end = outcome.ok ? 'ok' : outcome.error.code;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, caller));
  t.same(context.processes(), [], 'no process');
  await driver.close();
  await until(() => openDescriptors() <= before, `${openDescriptors()} descriptors are ${before} again`);
  t.comment(Object.fromEntries(ends));
  context.remove();
});
