import { writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { createDriver } from '../../lib/drivers/index.js';
import type { McpDriver } from '../../lib/drivers/mcp/mcp-driver.js';
import type { McpRuntime, McpServerSettings, RuntimeLimits } from '../../lib/manifest/index.js';
import {
  callOf,
  fixture,
  isAlive,
  limits as limitsOf,
  resultOf,
  serviceId,
  testContext,
  type TestContext,
} from '../support/drivers.js';
import { until } from '../support/until.js';
import { inOneFile } from '../support/one-file.js';
import { serverProgram } from '../support/reference-servers.js';
import { temporaryDir } from '../support/test-node.js';
import { driverSuite, failsWith } from '../suites/driver-suite.js';

const MANY = await inOneFile(t, fixture('many-mcp.mjs'), temporaryDir(t));

interface Changes {
  readonly args?: readonly string[];
  readonly limits?: RuntimeLimits;
  readonly settings?: Partial<McpServerSettings>;
}

function runtime({ args = [], limits = limitsOf(), settings = {} }: Changes): McpRuntime {
  return {
    type: 'mcp',
    server: {
      serviceId,
      program: {
        executablePath: process.execPath,
        args: [MANY, ...args],
        cwd: tmpdir(),
      },
      url: null,
      headers: {},
      env: { SET: 'by the manifest' },
      envFile: null,
      session: 'shared',
      elicitation: false,
      limits,
      ...settings,
    },
    offer: { kind: 'tool', name: 'act' },
    tools: null,
    limits,
    probe: null,
  };
}

function driverIn(context: TestContext, changes: Changes = {}): McpDriver {
  return createDriver({ serviceId, runtime: runtime(changes) }, context) as McpDriver;
}

function driverOf(t: Test, changes: Changes = {}): McpDriver {
  const context = testContext();
  const driver = driverIn(context, changes);
  t.teardown(async () => {
    await driver.close();
    const left = context.processes();
    context.remove();
    if (left.length > 0) throw new Error(`Processes ${left.join(' ')} are left.`);
  });
  return driver;
}

for (const [generation, args] of [
  ['of 2026-07-28', []],
  ['before 2026-07-28', ['--legacy']],
] as const) {
  t.test(`an MCP server ${generation}`, async (t) =>
    driverSuite(t, (context, limits) => driverIn(context, { limits, args }), {
      exitStatus: false,
      printsResult: false,
      isolatesCalls: true,
      environment: true,
    }),
  );

  t.test(`a server ${generation} tells how far it is`, async (t) => {
    const driver = driverOf(t, { args });
    const said: unknown[] = [];
    const call = { ...callOf({ do: 'steps' }), onProgress: (progress: unknown) => said.push(progress) };
    t.same(resultOf(await driver.invoke(call)), { steps: 2 });
    t.same(said, [
      { done: 1, total: 2, message: 'step 1' },
      { done: 2, total: 2, message: 'step 2' },
    ]);
  });

  t.test(
    `a server ${generation} that is killed during a call is EIO, and the call does not run again`,
    async (t) => {
      const driver = driverOf(t, { args });
      const file = join(t.testdir({ count: '' }), 'count');
      const call = callOf({ do: 'count', file });
      const running = driver.invoke(call);
      await call.firstOutput;
      process.kill(driver.server.pid!, 'SIGKILL');
      failsWith(t, await running, 'EIO', /ended while the call ran.*SIGKILL/s);
      t.same(
        resultOf(await driver.invoke(callOf({ do: 'echo' }))),
        { do: 'echo' },
        'a call waits for the next start',
      );
      t.equal(readFileSync(file, 'utf8'), '1');
    },
  );

  t.test(`a server ${generation} asks the caller where it may`, async (t) => {
    const driver = driverOf(t, { args, settings: { elicitation: true } });
    const asked: unknown[] = [];
    const call = {
      ...callOf({ do: 'ask' }),
      onQuestion: (question: unknown) => {
        asked.push(question);
        return Promise.resolve({ name: 'Ada' });
      },
    };
    t.same(resultOf(await driver.invoke(call)), { action: 'accept', content: { name: 'Ada' } });
    t.match(asked, [{ message: 'Who?', schema: { properties: { name: { type: 'string' } } } }]);
    const declined = { ...callOf({ do: 'ask' }), onQuestion: () => Promise.resolve(null) };
    t.same(resultOf(await driver.invoke(declined)), { action: 'decline' });
  });

  t.test(`what an answer to a server ${generation} leaves out is the default`, async (t) => {
    const driver = driverOf(t, { args, settings: { elicitation: true } });
    const answered = (given: JsonObject): Promise<JsonObject> => {
      const call = { ...callOf({ do: 'ask', home: 'London' }), onQuestion: () => Promise.resolve(given) };
      return driver.invoke(call).then(resultOf);
    };
    t.match(await answered({ name: 'Ada' }), { content: { name: 'Ada', home: 'London' } });
    t.match(await answered({ name: 'Ada', home: 'Rome' }), { content: { name: 'Ada', home: 'Rome' } });
  });

  t.test(`a server ${generation} keeps what one principal told it from the others`, async (t) => {
    const driver = driverOf(t, { args, settings: { session: 'principal' } });
    const as = (principal: string, text: string) =>
      callOf(
        { do: 'remember', text },
        { caller: { role: 'user', agentId: principal, projectId: null, principal } },
      );
    t.same(resultOf(await driver.invoke(as('a', 'of a'))), { before: null });
    t.same(resultOf(await driver.invoke(as('b', 'of b'))), { before: null });
    t.same(resultOf(await driver.invoke(as('a', 'more'))), { before: 'of a' });
    t.same(resultOf(await driver.invoke(as('b', 'more'))), { before: 'of b' });
  });
}

for (const args of [[], ['--legacy']])
  t.test(
    `what a server logs is in the stderr of the job (${args.join('') || 'the newest protocol'})`,
    async (t) => {
      const driver = driverOf(t, { args });
      const call = callOf({ do: 'log', text: 'careful' });
      t.same(resultOf(await driver.invoke(call)), { logged: true });
      t.match(call.heard.stderr, /warning: careful/);
    },
  );

t.test('a server that asks where it may not gets no answer, and the caller hears why', async (t) => {
  const newest = driverOf(t);
  failsWith(t, await newest.invoke(callOf({ do: 'ask' })), 'EIO', /elicitation/);
  t.ok((await newest.invoke(callOf({ do: 'echo' }))).ok, 'the next call works');
  const before = driverOf(t, { args: ['--legacy'] });
  failsWith(t, await before.invoke(callOf({ do: 'ask' })), 'EIO', /elicitation/);
});

t.test('a tool that runs as a task alone is a call like others', async (t) => {
  const context = testContext();
  const settings = {
    program: {
      executablePath: process.execPath,
      args: [serverProgram('server-everything'), 'stdio'],
      cwd: tmpdir(),
    },
  };
  const research = {
    ...runtime({ settings }),
    offer: { kind: 'tool', name: 'simulate-research-query' },
  } as const;
  const driver = createDriver({ serviceId, runtime: research }, context)!;
  t.teardown(async () => {
    await driver.close();
    context.remove();
  });
  const call = callOf({ topic: 'rivers' });
  t.match(resultOf(await driver.invoke(call))['text'], /Research Report: rivers/);
  t.match(call.heard.stderr, /working: .*completed/s);
});

t.test('what a server prints on stdout that is no message is for people', async (t) => {
  const driver = driverOf(t);
  const call = callOf({ do: 'garbage' });
  t.same(resultOf(await driver.invoke(call)), { after: 'garbage' });
  t.match(call.heard.stderr, /this is not JSON/);
});

t.test(
  'a server that cannot start says why, and is given up after some tries until it is restarted',
  async (t) => {
    const driver = driverOf(t, { args: ['--die'] });
    failsWith(t, await driver.invoke(callOf({ do: 'echo' })), 'EIO', /the configuration is wrong/);
    await until(() => /not started again/.test(driver.fault?.message ?? ''), 'it is given up');
    failsWith(t, await driver.invoke(callOf({ do: 'echo' })), 'EIO', /not started again/);
  },
);

t.test('services with equal settings share one server, which ends with the last of them', async (t) => {
  const context = testContext();
  const [one, two] = [driverIn(context), driverIn(context)];
  const pids = [one, two].map(
    async (driver) => resultOf(await driver.invoke(callOf({ do: 'context' })))['pid'],
  );
  const [first, second] = await Promise.all(pids);
  t.equal(first, second);
  await one.close();
  t.ok(isAlive(first as number));
  await two.close();
  t.notOk(isAlive(first as number));
  context.remove();
});

t.test('variables of a file of secrets reach the server, unless others may read the file', async (t) => {
  const envFile = join(t.testdir(), 'secrets.env');
  writeFileSync(envFile, '# mine\nSET="from the file"\n', { mode: 0o600 });
  const driver = driverOf(t, { settings: { envFile } });
  t.equal(resultOf(await driver.invoke(callOf({ do: 'context' })))['set'], 'from the file');
  const open = join(t.testdir(), 'open.env');
  writeFileSync(open, 'SET=hidden\n', { mode: 0o644 });
  const refused = await driverOf(t, { settings: { envFile: open } }).invoke(callOf({ do: 'echo' }));
  failsWith(t, refused, 'EACCES', /open to other accounts/);
  t.notMatch(JSON.stringify(refused), /hidden/);
});
