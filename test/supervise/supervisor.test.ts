import t, { type Test } from 'tap';
import { FsError, silentLog, type JsonObject, type ServiceId } from '../../lib/core/index.js';
import type { Driver, Outcome } from '../../lib/drivers/index.js';
import { DEFAULT_LIMITS, type ProbeDefinition, type RuntimeDefinition } from '../../lib/manifest/index.js';
import {
  Supervisor,
  policyFromConfig,
  type HealthTransition,
  type SupervisorState,
} from '../../lib/supervise/index.js';
import { FakeClock } from '../support/fake-clock.js';

class FakeDriver implements Driver {
  fault: FsError | null = null;
  restarts = 0;
  outcome: Outcome = { ok: true, result: Buffer.from('{}'), exitCode: 0 };
  #listeners = new Set<(fault: FsError | null) => void>();

  async invoke(): Promise<Outcome> {
    return this.outcome;
  }
  onFault(listener: (fault: FsError | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  setFault(fault: FsError | null): void {
    this.fault = fault;
    for (const listener of this.#listeners) listener(fault);
  }
  async close(): Promise<void> {}
  async restart(): Promise<void> {
    this.restarts++;
  }
}

interface Stage {
  readonly supervisor: Supervisor;
  readonly clock: FakeClock;
  readonly driver: FakeDriver;
  readonly events: HealthTransition[];
}

function runtimeWith(probe: ProbeDefinition | null): RuntimeDefinition {
  return { type: 'static', limits: DEFAULT_LIMITS, probe };
}

function stage(t: Test, supervision: JsonObject, state: SupervisorState | null = null): Stage {
  const clock = new FakeClock();
  const context = { nodeId: 'n1', ledger: null, driverUser: null, log: silentLog, clock };
  const driver = new FakeDriver();
  const serviceId = 's' as ServiceId;
  const supervisor = new Supervisor({ serviceId, enabled: true, config: { supervision }, context, state });
  const events: HealthTransition[] = [];
  supervisor.changes.on((event) => events.push(event));
  supervisor.attach(driver, runtimeWith(null));
  t.teardown(() => supervisor.close());
  return { supervisor, clock, driver, events };
}

t.test('after too many failures in a row calls are EBUSY until the rest is over', async (t) => {
  const { supervisor, clock, events } = stage(t, { max_consecutive_failures: 2, cooldown_ms: 5_000 });
  supervisor.admit()('failure');
  supervisor.admit()('ok');
  supervisor.admit()('failure');
  t.equal(supervisor.health.state, 'online');
  supervisor.admit()('failure');
  t.throws(() => supervisor.admit(), { code: 'EBUSY', hint: /5000 ms/ });
  t.match(supervisor.health, { state: 'degraded', cooldownRemainingMs: 5_000, consecutiveFailures: 2 });
  clock.advance(5_000);
  t.equal(supervisor.health.cooldownRemainingMs, 0);
  const trial = supervisor.admit();
  t.throws(() => supervisor.admit(), { code: 'EBUSY', message: /trying/ }, 'one call tries, the others wait');
  trial('ok');
  supervisor.admit();
  t.same(
    events.map(({ from, to }) => `${from} ${to}`),
    ['online degraded', 'degraded online'],
  );
});

t.test('a trial that fails opens it again, and one that is cancelled lets another try', async (t) => {
  const { supervisor, clock } = stage(t, { max_consecutive_failures: 1, cooldown_ms: 1_000 });
  supervisor.admit()('failure');
  clock.advance(1_000);
  supervisor.admit()('cancelled');
  supervisor.admit()('failure');
  t.throws(() => supervisor.admit(), { code: 'EBUSY' });
});

t.test('timeouts in a row are counted apart', async (t) => {
  const { supervisor } = stage(t, { max_consecutive_timeouts: 2, cooldown_ms: 1_000 });
  for (const end of ['timeout', 'failure', 'failure', 'timeout'] as const) supervisor.admit()(end);
  supervisor.admit()('timeout');
  t.throws(() => supervisor.admit(), { code: 'EBUSY' });
});

t.test('without a cooldown it stays disabled until someone acts', async (t) => {
  const { supervisor, driver, clock } = stage(t, { max_consecutive_failures: 1, cooldown_ms: 0 });
  supervisor.admit()('failure');
  clock.advance(1e9);
  t.throws(() => supervisor.admit(), { code: 'EPERM' });
  t.equal(supervisor.health.state, 'offline');
  await supervisor.restart();
  t.equal(driver.restarts, 1);
  t.match(supervisor.health, { state: 'online', restartsTotal: 1, lastControlOp: 'restart' });
  supervisor.admit()('failure');
  supervisor.enable();
  supervisor.admit();
});

t.test('where it may not disable itself, it only says that it is degraded', async (t) => {
  const { supervisor } = stage(t, { max_consecutive_failures: 1, auto_disable_on_threshold: false });
  supervisor.admit()('failure');
  t.equal(supervisor.health.state, 'degraded');
  supervisor.admit()('ok');
  t.equal(supervisor.health.state, 'online');
});

t.test('a disabled service refuses calls and is offline', async (t) => {
  const { supervisor, events } = stage(t, {});
  supervisor.disable();
  supervisor.disable();
  t.throws(() => supervisor.admit(), { code: 'EPERM', hint: /enable/ });
  t.same(
    events.map(({ to }) => to),
    ['offline'],
  );
  supervisor.enable();
  supervisor.admit();
  t.same(
    events.map(({ to }) => to),
    ['offline', 'online'],
  );
});

t.test('a fault of the driver is one transition, and its end another', async (t) => {
  const { supervisor, driver, events } = stage(t, {});
  driver.setFault(new FsError('EIO', 'The driver is not there.'));
  driver.setFault(new FsError('EIO', 'The driver is still not there.'));
  t.match(supervisor.health, { state: 'offline', reason: 'The driver is still not there.' });
  driver.setFault(null);
  t.same(
    events.map(({ to, reason }) => [to, reason]),
    [
      ['offline', 'The driver is not there.'],
      ['online', null],
    ],
  );
});

t.test('a service that flaps is reported as bad until it has been well for a while', async (t) => {
  const { supervisor, driver, clock, events } = stage(t, {});
  for (let i = 0; i < 50; i++) {
    driver.setFault(i % 2 === 0 ? new FsError('EIO', 'gone') : null);
    clock.advance(100);
  }
  t.ok(events.length <= 6, `${events.length} events`);
  t.equal(supervisor.health.state, 'offline');
  for (let i = 0; i < 50; i++) {
    driver.setFault(null); // what looks meanwhile, and finds it well, does not put it off
    clock.advance(100);
  }
  t.equal(supervisor.health.state, 'online');
  t.equal(events.at(-1)?.to, 'online');
});

t.test('what it knows survives a restart of the node', async (t) => {
  const policy = { max_consecutive_failures: 1, cooldown_ms: 60_000 };
  const before = stage(t, policy);
  before.supervisor.admit()('failure');
  const state = JSON.parse(JSON.stringify(before.supervisor.state)) as SupervisorState;
  const after = stage(t, policy, state);
  t.throws(() => after.supervisor.admit(), { code: 'EBUSY' });
  after.clock.advance(60_000);
  after.supervisor.admit()('ok');
  t.equal(after.supervisor.health.state, 'online');
});

t.test('a policy that is none is EINVAL, naming the member, and changes nothing', async (t) => {
  const { supervisor } = stage(t, { max_consecutive_failures: 7 });
  for (const [supervision, message] of [
    [7, /"supervision"/],
    [{ cooldown_ms: -1 }, /cooldown_ms/],
    [{ max_consecutive_failures: '3' }, /max_consecutive_failures/],
    [{ auto_disable_on_threshold: 1 }, /auto_disable/],
  ] as const)
    t.throws(() => supervisor.setConfig({ supervision }), { code: 'EINVAL', message });
  t.equal(supervisor.health.policy.maxConsecutiveFailures, 7);
  t.equal(policyFromConfig({}).autoDisableOnThreshold, true);
});

t.test('probes decide after so many in a row, and run one at a time', async (t) => {
  const { supervisor, driver, clock, events } = stage(t, {});
  const probe: ProbeDefinition = {
    type: 'invoke',
    command: [],
    payload: {},
    intervalMs: 1_000,
    timeoutMs: 500,
    healthyAfter: 2,
    unhealthyAfter: 2,
  };
  const round = async (ok: boolean): Promise<string> => {
    driver.outcome = ok
      ? { ok: true, result: Buffer.from('{}'), exitCode: 0 }
      : { ok: false, error: new FsError('EIO', 'no'), exitCode: 1 };
    clock.advance(1_000);
    while (clock.pending === 0) await new Promise(setImmediate);
    return supervisor.health.state;
  };
  supervisor.attach(driver, runtimeWith(probe));
  const states: string[] = [];
  for (const ok of [true, false, false, true, true]) states.push(await round(ok));
  t.same(states, ['online', 'online', 'offline', 'offline', 'online']);
  t.same(
    events.map(({ to }) => to),
    ['offline', 'online'],
  );
  supervisor.disable();
  t.equal(clock.pending, 0, 'a disabled service is not probed');
});
