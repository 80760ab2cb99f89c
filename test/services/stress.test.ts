import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { FsError } from '../../lib/core/index.js';
import { DEFAULT_JOB_LIMITS } from '../../lib/services/index.js';
import { fixture, openDescriptors, processesTagged } from '../support/drivers.js';
import { until } from '../support/until.js';
import { SEED, extent } from '../support/extent.js';
import { seededRandom } from '../support/faulty-transport.js';
import { TestNode, shellManifest } from '../support/test-node.js';

/** So many calls of all services together; 10,000 by hand, which take about a quarter of an hour. */
const CALLS = extent('ACHERON_STRESS_CALLS', { short: 250, long: 10_000 });
const ABREAST = 4;

const LIMITS = { timeout_ms: 800, kill_grace_ms: 30, max_output_bytes: 20_000 };
const MANY = fixture('many.py');
const RUNTIMES: Readonly<Record<string, JsonObject>> = {
  oneshot: { type: 'native_proc', executable_path: MANY },
  warm: { type: 'native_proc', executable_path: MANY, mode: 'warm', warm_count: 4 },
  persistent: { type: 'native_proc', executable_path: MANY, args: ['--persistent'], mode: 'persistent' },
  module: { type: 'module', module_path: fixture('many.mjs') },
  wasm: { type: 'wasm', module_path: fixture('many.wasm') },
};

/** What is asked of the drivers: to succeed, to fail, to print too much, to hang, to leave children behind. */
const REQUESTS: readonly ((random: () => number) => JsonObject)[] = [
  () => ({ do: 'echo', text: 'x'.repeat(100) }),
  () => ({ do: 'say' }),
  () => ({ do: 'fail' }),
  (random) => ({ do: 'sleep', ms: Math.floor(random() * 1_200) }),
  () => ({ do: 'hang' }),
  () => ({ do: 'stubborn' }),
  () => ({ do: 'flood', bytes: 50_000 }),
  () => ({ do: 'shout', bytes: 50_000 }),
  () => ({ do: 'garbage' }),
  () => ({ do: 'exit', status: 3 }),
  () => ({ do: 'fork' }),
  () => ({ do: 'fork-and-hang' }),
];

// Once: each context takes some of the memory that is looked at.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What the heap differs by between two runs that keep nothing. */
const HEAP_NOISE_BYTES = 600_000;

t.setTimeout(60_000 + CALLS * 1_000);

t.test(`${CALLS} calls that end in every way leave no process, no descriptor and no memory`, async (t) => {
  const random = seededRandom(SEED);
  const manifests = Object.entries(RUNTIMES).map(([name, runtime]) =>
    shellManifest(name, '', { runtime: { args: [], ...runtime, ...LIMITS } }),
  );
  // What Node itself opens at the first use of a process, a thread or a watch stays open.
  const rehearsal = await TestNode.start(t, manifests);
  await settle(rehearsal);
  await rehearsal.node.close();
  const before = openDescriptors();
  const node = await TestNode.start(t, manifests, { jobLimits: { ...DEFAULT_JOB_LIMITS, keep: 2 } });
  const ledger = readFileSync(`${node.dir}/state/node.json.processes`, 'latin1');
  const processes = (): number[] => processesTagged(ledger.split('\n')[0]!.trim().split(' ')[3]!);
  const ends = new Map<string, number>();

  const call = async (service: string): Promise<void> => {
    const request = REQUESTS[Math.floor(random() * REQUESTS.length)]!(random);
    const caller = new AbortController();
    const givesUp = setTimeout(
      () => caller.abort(new FsError('ECANCELED', 'The caller gave up.')),
      random() * 1_600,
    );
    const end = await node
      .write(node.path(service, 'control/invoke.json'), JSON.stringify(request), undefined, caller.signal)
      .then(
        () => 'ok',
        (thrown: unknown) => (thrown as FsError).code,
      );
    clearTimeout(givesUp);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  };
  const callMany = async (count: number): Promise<void> => {
    await Promise.all(
      Object.keys(RUNTIMES).flatMap((service) => {
        let left = Math.ceil(count / Object.keys(RUNTIMES).length);
        return Array.from({ length: ABREAST }, async () => {
          while (left-- > 0) await call(service);
        });
      }),
    );
  };

  await callMany(CALLS / 2);
  await settle(node);
  const heapBefore = heapBytes();
  await callMany(CALLS / 2);
  await settle(node);
  const grownBytes = heapBytes() - heapBefore;

  const total = [...ends.values()].reduce((sum, count) => sum + count, 0);
  t.comment(`seed ${SEED}, ${total} calls:`, Object.fromEntries(ends), `heap ${grownBytes} bytes more`);
  t.strictSame(
    [...ends.keys()].filter((end) => !['ok', 'EIO', 'ETIMEDOUT', 'ECANCELED'].includes(end)),
    [],
    'each call ended in a way that is documented',
  );
  t.ok(
    grownBytes < HEAP_NOISE_BYTES + total * 300,
    `the heap did not grow with the calls (${grownBytes} bytes)`,
  );

  await until(() => processes().length <= 4 + 1, `only what warm and persistent keep ready runs`);

  await node.node.close();
  t.strictSame(processes(), [], 'no process is left');
  await until(() => openDescriptors() <= before, `${openDescriptors()} descriptors are ${before} again`);
});

/** After all that every service still answers; what was interrupted is in nobody's way. */
async function settle(node: TestNode): Promise<void> {
  for (const service of Object.keys(RUNTIMES)) {
    await node.write(node.path(service, 'control/restart'), '1');
    await succeeds(() => node.write(node.path(service, 'control/invoke.json'), '{"do":"echo"}'));
  }
}

/** On a busy machine a start alone may take as long as a call is given, so one failure proves nothing. */
async function succeeds(act: () => Promise<void>, mostMs = 60_000): Promise<void> {
  for (const end = Date.now() + mostMs; ;)
    try {
      await act();
      return;
    } catch (thrown) {
      if (Date.now() > end) throw thrown;
    }
}

/** What is in use once all that can be freed is freed. */
function heapBytes(): number {
  for (let count = 0; count < 3; count++) collect();
  return process.memoryUsage().heapUsed;
}
