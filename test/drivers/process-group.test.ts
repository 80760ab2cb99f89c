import t, { type Test } from 'tap';
import { createDriver, type Driver } from '../../lib/drivers/index.js';
import type { ProcessRuntime } from '../../lib/manifest/index.js';
import {
  callOf,
  isAlive,
  limits,
  processRuntime,
  resultOf,
  serviceId,
  testContext,
} from '../support/drivers.js';
import { failsWith } from '../suites/driver-suite.js';

const context = testContext();
t.teardown(() => context.remove());

function driverOf(t: Test, changes: Partial<ProcessRuntime> = {}): Driver {
  const driver = createDriver({ serviceId, runtime: processRuntime(changes) }, context)!;
  t.teardown(() => driver.close());
  return driver;
}

t.test('a child that the driver leaves behind in its group is gone when the call is answered', async (t) => {
  const { child } = resultOf(await driverOf(t).invoke(callOf({ do: 'fork' })));
  t.notOk(isAlive(child as number));
});

t.test('children that ignore SIGTERM are gone when a timeout is answered', async (t) => {
  const driver = driverOf(t, { limits: limits({ timeoutMs: 1_000, killGraceMs: 50 }) });
  failsWith(t, await driver.invoke(callOf({ do: 'fork-and-hang' })), 'ETIMEDOUT');
  t.same(context.processes(), []);
});

t.test('a descendant that leaves the group and holds stdout open does not hold the answer', async (t) => {
  const start = performance.now();
  const { child } = resultOf(await driverOf(t).invoke(callOf({ do: 'escape' })));
  process.kill(child as number, 'SIGKILL');
  t.ok(performance.now() - start < 20_000);
});

t.test('a driver that never reads its request may succeed', async (t) => {
  const driver = driverOf(t, { executablePath: 'sh', args: ['-c', 'exec 0<&-; echo "{\\"ok\\":true}"'] });
  const text = 'x'.repeat(1_000_000);
  t.same(resultOf(await driver.invoke(callOf({ text }))), { ok: true });
});

t.test('a request and a result pass byte for byte', async (t) => {
  const driver = driverOf(t, { executablePath: '/bin/cat' });
  const exact = Buffer.from(' {"n":123456789012345678901234567890.10,\n"s":"\\ud800","s":1e999}\n');
  const outcome = await driver.invoke(callOf(exact));
  t.ok(outcome.ok && exact.equals(outcome.result));
});

t.test('a signal that ends the driver is named', async (t) => {
  const driver = driverOf(t, { executablePath: 'sh', args: ['-c', 'kill -SEGV $$'] });
  failsWith(t, await driver.invoke(callOf({})), 'EIO', /SIGSEGV/);
});

t.test('output "text" wraps whatever is printed', async (t) => {
  const driver = driverOf(t, { executablePath: 'printf', args: ['a "b"\\n'], output: 'text' });
  t.same(resultOf(await driver.invoke(callOf({}))), { text: 'a "b"\n' });
});

t.test('output that is not UTF-8 is not JSON', async (t) => {
  const driver = driverOf(t, { executablePath: 'printf', args: ['"\\377"'] });
  failsWith(t, await driver.invoke(callOf({})), 'EIO', /not JSON/);
});

t.test('placeholders fill the command line, one argument each', async (t) => {
  const driver = driverOf(t, {
    executablePath: 'printf',
    args: ['<%s>', '{payload.name}', 'n={payload.deep.list.1}', '{payload.deep}', '{other}', '{payload.big}'],
    output: 'text',
  });
  const payload = '{"name":"a b; $(rm) \\" \'*","deep":{"list":[1,2.50]},"big":123456789012345678901}';
  const { text } = resultOf(await driver.invoke(callOf(Buffer.from(payload))));
  t.equal(text, '<a b; $(rm) " \'*><n=2.50><{"list":[1,2.50]}><{other}><123456789012345678901>');
});

t.test('a placeholder that the request cannot fill is its own fault, and nothing runs', async (t) => {
  const args = ['%s', '{payload.name}'];
  const driver = driverOf(t, { executablePath: 'printf', args, output: 'text' });
  failsWith(t, await driver.invoke(callOf({})), 'EINVAL', /"name"/);
  failsWith(t, await driver.invoke(callOf({ name: '-rf' })), 'EINVAL', /"-"/);
  failsWith(t, await driver.invoke(callOf({ name: -1 })), 'EINVAL', /"-"/);
  failsWith(t, await driver.invoke(callOf({ name: 'a\0b' })), 'EINVAL', /NUL/);
  failsWith(t, await driver.invoke(callOf(Buffer.from('{"name":"\\ud800"}'))), 'EINVAL', /surrogate/);
  failsWith(t, await driver.invoke(callOf({ name: 'x'.repeat(200_000) })), 'E2BIG', /200000 bytes/);
  const proto = driverOf(t, { executablePath: 'printf', args: ['%s', '{payload.__proto__.name}'] });
  failsWith(t, await proto.invoke(callOf({})), 'EINVAL');
  const dashing = driverOf(t, {
    executablePath: 'echo',
    args: args.slice(1),
    allowDash: true,
    output: 'text',
  });
  t.same(resultOf(await dashing.invoke(callOf({ name: '-x' }))), { text: '-x\n' });
});

t.test('kernel limits hold', async (t) => {
  const python = (code: string, changes: Partial<ReturnType<typeof limits>>): Driver =>
    driverOf(t, { executablePath: 'python3', args: ['-c', code], limits: limits(changes), output: 'text' });
  const memory = python('x = bytearray(300_000_000)', { memoryBytes: 100_000_000 });
  failsWith(t, await memory.invoke(callOf({})), 'EIO', /MemoryError/);
  const files = python('x = [open("/dev/null") for _ in range(50)]', { openFiles: 20 });
  failsWith(t, await files.invoke(callOf({})), 'EIO', /Too many open files/);
  const cpu = python('while True: pass', { cpuSeconds: 1 });
  failsWith(t, await cpu.invoke(callOf({})), 'EIO', /SIGXCPU|SIGKILL/);
});

t.test(
  'a node that is root runs drivers as the driver user',
  { skip: process.getuid?.() !== 0 },
  async (t) => {
    const runtime = processRuntime({
      executablePath: 'sh',
      args: ['-c', 'id -u; id -G; echo $HOME'],
      output: 'text',
    });
    const as = { ...context, driverUser: { uid: 65_534, gid: 65_534 } };
    const driver = createDriver({ serviceId, runtime }, as)!;
    t.teardown(() => driver.close());
    const { text } = resultOf(await driver.invoke(callOf({})));
    t.match(text, /^65534\n65534\n\/(?!root)/);
    const named = driverOf(t, { ...runtime, limits: limits({ user: 'nobody' }) });
    t.match(resultOf(await named.invoke(callOf({})))['text'], /^65534\n/);
    const unknown = driverOf(t, { limits: limits({ user: 'no-such-user' }) });
    t.match(unknown.fault?.message, /no-such-user/);
    failsWith(t, await unknown.invoke(callOf({})), 'EIO');
  },
);
