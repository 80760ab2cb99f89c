import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import type { DriverContext, Outcome } from '../../lib/drivers/index.js';
import type { RuntimeLimits } from '../../lib/manifest/index.js';
import { terminalServiceDefinition, TerminalDriver } from '../../lib/providers/index.js';
import {
  callOf,
  limits,
  openDescriptors,
  resultOf,
  testContext,
  type TestContext,
} from '../support/drivers.js';
import { lacks } from '../support/shells.js';

function terminal(
  t: Test,
  changes: Partial<RuntimeLimits> = {},
  more: Partial<DriverContext> = {},
): {
  driver: TerminalDriver;
  context: TestContext;
  cwd: string;
  run: (input: JsonObject) => Promise<Outcome>;
} {
  const context = testContext();
  const cwd = mkdtempSync(join(tmpdir(), 'acheron-terminal-'));
  const { serviceId } = terminalServiceDefinition('n1', 'main');
  const driver = new TerminalDriver({ serviceId, limits: limits(changes), cwd }, { ...context, ...more });
  t.teardown(async () => {
    await driver.close();
    const left = context.processes();
    context.remove();
    rmSync(cwd, { recursive: true });
    if (left.length > 0) throw new Error(`Processes ${left.join(' ')} are left.`);
  });
  return { driver, context, cwd, run: (input) => driver.invoke(callOf(input)) };
}

const codeOf = (outcome: Outcome): string => (outcome.ok ? 'ok' : outcome.error.code);

t.test('a command runs in a shell, and its output and status are the result', async (t) => {
  const { run } = terminal(t);
  const outcome = await run({ command: 'echo out; echo err >&2; exit 0' });
  t.same(resultOf(outcome), { ok: true, exit_code: 0, stdout: 'out\n', stderr: 'err\n' });
  t.match(outcome, { ok: true, exitCode: 0 });
});

t.test('a list of arguments runs without a shell', async (t) => {
  const { run } = terminal(t);
  t.match(resultOf(await run({ argv: ['printf', '%s|', '$HOME', '*', 'a b'] })), { stdout: '$HOME|*|a b|' });
});

t.test('a command that fails is a result, not an error', async (t) => {
  const { run } = terminal(t);
  t.same(resultOf(await run({ command: 'echo no >&2; exit 3' })), {
    ok: false,
    exit_code: 3,
    stdout: '',
    stderr: 'no\n',
  });
  t.match(resultOf(await run({ argv: ['acheron-no-such-program'] })), { ok: false, exit_code: 127 });
  t.match(resultOf(await run({ argv: ['/'] })), { ok: false, exit_code: 126 });
  t.match(resultOf(await run({ command: 'kill -9 $$' })), { ok: false, exit_code: null, signal: 'SIGKILL' });
});

t.test('it runs where cwd says, from the directory of the terminal', async (t) => {
  const { run, cwd } = terminal(t);
  mkdirSync(join(cwd, 'inner'));
  t.equal(resultOf(await run({ argv: ['pwd'] }))['stdout'], `${cwd}\n`);
  t.equal(resultOf(await run({ argv: ['pwd'], cwd: 'inner' }))['stdout'], `${cwd}/inner\n`);
  t.equal(resultOf(await run({ command: 'pwd', cwd: '/' }))['stdout'], '/\n');
  t.equal(codeOf(await run({ command: 'pwd', cwd: 'missing' })), 'EINVAL');
});

t.test('what it prints beyond max_output_bytes stops it, with EIO', async (t) => {
  const { run } = terminal(t, { maxOutputBytes: 10_000 });
  const outcome = await run({ command: 'yes', max_output_bytes: 1000 });
  t.match(outcome, { ok: false, error: { code: 'EIO', message: /more than 1000 bytes/ } });
  t.equal(
    codeOf(await run({ command: 'yes', max_output_bytes: 1_000_000 })),
    'EIO',
    'the terminal has the last word',
  );
  t.match(resultOf(await run({ command: 'yes >&2 & sleep 0.05; kill $!' })), { ok: true });
});

t.test('time and cancellation are errors, and nothing of the command is left', async (t) => {
  const hasty = terminal(t, { timeoutMs: 150 });
  t.equal(codeOf(await hasty.run({ command: 'sleep 60 & sleep 60' })), 'ETIMEDOUT');
  t.same(hasty.context.processes(), []);
  const { driver, context } = terminal(t);
  const call = callOf({ command: 'echo started; sleep 60' });
  const running = driver.invoke(call);
  await call.firstOutput;
  t.equal(call.heard.stdout, 'started\n', 'what it prints is heard while it runs');
  call.cancel();
  t.equal(codeOf(await running), 'ECANCELED');
  t.same(context.processes(), []);
});

t.test('closing ends what runs, and refuses what comes', async (t) => {
  const { driver } = terminal(t);
  const call = callOf({ command: 'echo started; sleep 60' });
  const running = driver.invoke(call);
  await call.firstOutput;
  await driver.close();
  t.equal(codeOf(await running), 'ECANCELED');
  t.equal(codeOf(await driver.invoke(callOf({ command: 'true' }))), 'ECANCELED');
});

t.test('a request that is none is EINVAL', async (t) => {
  const { run } = terminal(t);
  for (const input of [
    {},
    { command: 'a', argv: ['b'] },
    { command: 7 },
    { command: 'a\0b' },
    { argv: [] },
    { argv: [''] },
    { argv: ['a', 1] },
    { command: 'a', cwd: 1 },
    { command: 'a', max_output_bytes: 0 },
  ] as JsonObject[])
    t.equal(codeOf(await run(input)), 'EINVAL', JSON.stringify(input));
});

t.test('the command knows who calls, and nothing secret of the node', async (t) => {
  process.env['ACHERON_TEST_SECRET'] = 'hush-5c1d';
  t.teardown(() => delete process.env['ACHERON_TEST_SECRET']);
  const { run } = terminal(t);
  const { stdout } = resultOf(await run({ argv: ['env'] }));
  t.match(stdout, /^ACHERON_CALL_SERVICE_ID=terminal-main$/m);
  t.match(stdout, /^ACHERON_CALL_AGENT_ID=agent-7$/m);
  t.notMatch(stdout, /ACHERON_TEST_SECRET|hush-5c1d/);
});

t.test(
  'a node that runs as root runs commands as the driver user',
  { skip: process.getuid!() === 0 ? false : 'only root can' },
  async (t) => {
    const { run } = terminal(t, {}, { driverUser: { uid: 12_345, gid: 12_345 } });
    t.match(resultOf(await run({ command: 'id -u; id -g; id -G', cwd: '/' })), {
      stdout: '12345\n12345\n12345\n',
    });
  },
);

t.test('without a directory of its own it is at home, or at the root where there is none', async (t) => {
  const { context } = terminal(t);
  const { serviceId } = terminalServiceDefinition('n1', 'main');
  const pwdOf = async (driverUser: DriverContext['driverUser']): Promise<unknown> => {
    const driver = new TerminalDriver({ serviceId, limits: limits() }, { ...context, driverUser });
    t.teardown(() => driver.close());
    return resultOf(await driver.invoke(callOf({ argv: ['pwd'] })))['stdout'];
  };
  t.equal(await pwdOf(null), `${homedir()}\n`);
  if (process.getuid!() === 0) t.equal(await pwdOf({ uid: 12_345, gid: 12_345 }), '/\n');
});

t.test('what is no text stays as it is in the output of the job', async (t) => {
  const { driver } = terminal(t);
  const chunks: Uint8Array[] = [];
  const call = callOf({ argv: ['printf', '\\377\\000\\303\\244'] });
  const outcome = await driver.invoke({ ...call, onOutput: (_stream, chunk) => chunks.push(chunk) });
  t.equal(resultOf(outcome)['stdout'], '\ufffd\0ä');
  t.same(Buffer.concat(chunks), Buffer.from([0xff, 0, 0xc3, 0xa4]));
});

t.test('no descriptor is left', async (t) => {
  const { run } = terminal(t);
  await run({ command: 'true' });
  const before = openDescriptors();
  await Promise.all(Array.from({ length: 10 }, () => run({ command: 'echo x; sleep 0.01' })));
  t.equal(openDescriptors(), before);
});

t.test('limits of the kernel hold', { skip: lacks('prlimit') }, async (t) => {
  const { run } = terminal(t, { openFiles: 17 });
  t.equal(resultOf(await run({ command: 'ulimit -n' }))['stdout'], '17\n');
});
