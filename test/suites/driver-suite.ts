import type { Test } from 'tap';
import { FsError } from '../../lib/core/index.js';
import type { Driver, Outcome } from '../../lib/drivers/index.js';
import type { RuntimeLimits } from '../../lib/manifest/index.js';
import {
  callOf,
  limits,
  openDescriptors,
  resultOf,
  testContext,
  type TestContext,
} from '../support/drivers.js';
import { until } from '../support/until.js';

/** What a runtime can do; the suite asks no more of it. */
export interface Supports {
  /** Runs a process for a call, which has an exit status. */
  readonly exitStatus: boolean;
  /** The driver's result is what it prints, so it can be no JSON. */
  readonly printsResult: boolean;
  /** A call that fails by itself leaves the other calls of the driver alone. */
  readonly isolatesCalls: boolean;
  /** The driver sees its environment. */
  readonly environment: boolean;
  /** What it says aside from its result is on stderr, limited; absent: it is. */
  readonly saysAside?: boolean;
}

/** A driver that understands the requests of test/fixtures/drivers/many.py. */
export type DriverFactory = (context: TestContext, limits: RuntimeLimits) => Driver;

/** What every runtime must do, whatever it runs. */
export function driverSuite(t: Test, factory: DriverFactory, supports: Supports): void {
  const driverOf = (t: Test, changes: Partial<RuntimeLimits> = {}): Driver & { context: TestContext } => {
    const context = testContext();
    const driver = factory(context, limits(changes));
    t.teardown(async () => {
      await driver.close();
      const left = context.processes();
      context.remove();
      if (left.length > 0) throw new Error(`Processes ${left.join(' ')} are left.`);
    });
    return Object.assign(driver, { context });
  };

  t.test('a call gives back what the driver answers, byte for byte', async (t) => {
    const driver = driverOf(t);
    const input = { do: 'echo', text: 'ü \u2028 "\\ \u0000 🜏', deep: [{ a: [1.5, null, true] }] };
    t.same(resultOf(await driver.invoke(callOf(input))), input);
    t.equal(driver.fault, null);
  });

  t.test('a request over several lines is one request', async (t) => {
    const driver = driverOf(t);
    const outcome = await driver.invoke(callOf(Buffer.from('{\n  "do": "echo",\r\n  "x": "\\n"\n}\n')));
    t.same(resultOf(outcome), { do: 'echo', x: '\n' });
  });

  t.test('an answer of nothing means the empty object', async (t) => {
    const driver = driverOf(t);
    const outcome = await driver.invoke(callOf({ do: 'empty' }));
    t.same(resultOf(outcome), {});
  });

  t.test('a failing driver is EIO with what it said', async (t) => {
    const driver = driverOf(t);
    const call = callOf({ do: 'fail' });
    const outcome = await driver.invoke(call);
    failsWith(t, outcome, 'EIO', /it went wrong/);
    if (supports.exitStatus) t.equal(outcome.exitCode, 3);
    t.same(resultOf(await driver.invoke(callOf({ do: 'echo' }))), { do: 'echo' }, 'the next call works');
  });

  t.test('what the driver says is heard while it runs', async (t) => {
    const driver = driverOf(t);
    const call = callOf({ do: 'hang' });
    const running = driver.invoke(call);
    await call.firstOutput;
    t.match(call.heard.stderr + call.heard.stdout, /hanging/);
    call.cancel();
    await running;
  });

  t.test('a call that takes too long is ETIMEDOUT, and nothing of it is left', async (t) => {
    const driver = driverOf(t, { timeoutMs: 400 });
    failsWith(t, await driver.invoke(callOf({ do: 'hang' })), 'ETIMEDOUT', /400 ms/);
  });

  t.test('a call is not given more time than its deadline leaves', async (t) => {
    const driver = driverOf(t, { timeoutMs: 30_000 });
    const call = callOf({ do: 'hang' }, { deadlineMs: Date.now() + 300 });
    failsWith(t, await driver.invoke(call), 'ETIMEDOUT', /30000 ms/);
  });

  t.test('a driver that does not heed the signal to end is killed', async (t) => {
    const driver = driverOf(t, { timeoutMs: 600, killGraceMs: 100 });
    failsWith(t, await driver.invoke(callOf({ do: 'stubborn' })), 'ETIMEDOUT');
  });

  t.test('a cancelled call is ECANCELED, or what its canceller says', async (t) => {
    const driver = driverOf(t);
    for (const reason of [undefined, new FsError('ETIMEDOUT', 'The session ended.')]) {
      const call = callOf({ do: 'hang' });
      const running = driver.invoke(call);
      await call.firstOutput;
      call.cancel(reason);
      failsWith(t, await running, reason?.code ?? 'ECANCELED');
    }
    const early = callOf({ do: 'echo' });
    early.cancel();
    failsWith(t, await driver.invoke(early), 'ECANCELED');
  });

  t.test('more output than the limit is EIO', async (t) => {
    const driver = driverOf(t, { maxOutputBytes: 100_000 });
    failsWith(t, await driver.invoke(callOf({ do: 'flood', bytes: 1_000_000 })), 'EIO', /100000/);
    t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok, 'the next call works');
  });

  if (supports.saysAside !== false)
    t.test('more on stderr than the limit is dropped, and the call goes on', async (t) => {
      const driver = driverOf(t, { maxOutputBytes: 100_000 });
      const call = callOf({ do: 'shout', bytes: 300_000 });
      t.same(resultOf(await driver.invoke(call)), { shouted: true });
      t.ok(call.heard.stderr.length < 101_000, `${call.heard.stderr.length} bytes were kept`);
    });

  if (supports.printsResult)
    t.test('output that is not what was promised is EIO and quoted', async (t) => {
      const driver = driverOf(t);
      failsWith(t, await driver.invoke(callOf({ do: 'garbage' })), 'EIO', /this is not JSON/);
      t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok, 'the next call works');
    });

  t.test('a driver that exits without an answer is EIO', async (t) => {
    const driver = driverOf(t);
    failsWith(t, await driver.invoke(callOf({ do: 'exit', status: 9 })), 'EIO', /9/);
    t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok, 'the next call works');
  });

  t.test('calls run side by side, each with its own answer', async (t) => {
    const driver = driverOf(t);
    const calls = Array.from({ length: 8 }, (_, n) => driver.invoke(callOf({ do: 'echo', n })));
    t.same(
      (await Promise.all(calls)).map((outcome) => resultOf(outcome)['n']),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
    const together = Array.from({ length: 4 }, () => callOf({ do: 'hang' }));
    const running = together.map((call) => driver.invoke(call));
    await Promise.all(together.map((call) => call.firstOutput));
    t.pass('all four run before one has ended');
    for (const call of together) call.cancel();
    await Promise.all(running);
  });

  if (supports.isolatesCalls)
    t.test('one call that fails leaves the others alone', async (t) => {
      const driver = driverOf(t);
      const bad = callOf({ do: 'hang' });
      const [slow, failed] = await Promise.all([
        driver.invoke(callOf({ do: 'sleep', ms: 400 })),
        driver.invoke(bad),
        bad.firstOutput.then(() => bad.cancel()),
      ]);
      t.ok(slow.ok);
      failsWith(t, failed, 'ECANCELED');
    });

  t.test('a request of a megabyte arrives whole', async (t) => {
    const driver = driverOf(t);
    const text = 'ÿ'.repeat(524_000);
    t.equal(resultOf(await driver.invoke(callOf({ do: 'echo', text })))['text'], text);
  });

  t.test('the driver learns who calls, and for what', async (t) => {
    const driver = driverOf(t);
    const call = callOf({ do: 'context' });
    const shown = resultOf(await driver.invoke(call));
    t.match(shown, {
      node_id: 'n1',
      service_id: 'probe',
      invocation_id: call.id,
      deadline_ms: call.deadlineMs,
      role: 'user',
      agent_id: 'agent-7',
      project_id: 'project-7',
    });
  });

  if (supports.environment)
    t.test('the driver gets what the manifest sets and little of the node', async (t) => {
      process.env['ACHERON_TEST_SECRET'] = 'secret';
      t.teardown(() => delete process.env['ACHERON_TEST_SECRET']);
      const driver = driverOf(t);
      const shown = resultOf(await driver.invoke(callOf({ do: 'context' })));
      t.equal(shown['set'], 'by the manifest');
      t.notOk((shown['env'] as string[]).includes('ACHERON_TEST_SECRET'));
      t.ok((shown['env'] as string[]).includes('PATH'));
    });

  t.test('closing ends every call, once, and calls after it are refused', async (t) => {
    const driver = driverOf(t);
    const call = callOf({ do: 'hang' });
    const running = driver.invoke(call);
    await call.firstOutput;
    await Promise.all([driver.close(), driver.close()]);
    failsWith(t, await running, 'ECANCELED');
    failsWith(t, await driver.invoke(callOf({ do: 'echo' })), 'ECANCELED');
    t.same(driver.context.processes(), []);
  });

  t.test('it can be started over', async (t) => {
    const driver = driverOf(t);
    t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
    await driver.restart();
    t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
  });

  t.test('no process of its group and no descriptor outlives its invocation', async (t) => {
    const context = testContext();
    const driver = factory(context, limits());
    t.ok((await driver.invoke(callOf({ do: 'echo' }))).ok);
    await driver.close();
    const before = openDescriptors();
    const again = factory(context, limits({ timeoutMs: 1_500 }));
    for (const what of ['echo', 'fail', 'hang', 'echo']) await again.invoke(callOf({ do: what }));
    const cancelled = callOf({ do: 'hang' });
    const running = again.invoke(cancelled);
    await cancelled.firstOutput;
    cancelled.cancel();
    await running;
    await again.close();
    t.same(context.processes(), []);
    await until(() => openDescriptors() <= before, `${openDescriptors()} descriptors are ${before} again`);
    context.remove();
  });
}

export function failsWith(t: Test, outcome: Outcome, code: string, message?: RegExp): void {
  if (outcome.ok) {
    t.fail(`succeeded with ${Buffer.from(outcome.result).toString().slice(0, 200)}`);
    return;
  }
  t.equal(outcome.error.code, code, outcome.error.message);
  if (message !== undefined) t.match(outcome.error.message, message);
}
