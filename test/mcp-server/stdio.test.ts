import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_LEVEL_META_KEY, type Progress } from '@modelcontextprotocol/client';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { Up } from '../support/acheron.js';
import { ERAS, mcpByStdio } from '../support/mcp.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const ECHO = shellManifest('echo', 'cat', {
  help_md: '# Echo\n\nGives back what it is given.\n\nMore of it.',
  invoke_template: { text: 'hi' },
  schema: { input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } },
});

for (const era of ERAS)
  t.test(`an agent of the ${era} protocol lists what it may invoke, and calls it`, async (t) => {
    const up = await Up.start(t, { manifests: [ECHO, shellManifest('fail', 'echo why >&2; exit 3')] });
    const { client } = await mcpByStdio(t, era, ['--state-dir', up.stateDir]);
    const { tools } = await client.listTools();
    t.same(
      tools.map(({ name }) => name),
      ['local__echo', 'local__fail', 'job_status'],
    );
    t.match(tools[0], {
      description: 'Gives back what it is given.',
      inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
    });
    const said = await client.callTool({ name: 'local__echo', arguments: { text: 'hi' } });
    t.same(said.structuredContent, { text: 'hi' });
    t.match(said.content, [{ type: 'text', text: '{"text":"hi"}' }]);
    const wrong = await client.callTool({ name: 'local__echo', arguments: { text: 1 } });
    t.match(wrong, { isError: true, content: [{ text: /^EINVAL: .*text/s }] });
    const failed = await client.callTool({ name: 'local__fail', arguments: {} });
    t.match(failed, { isError: true, content: [{ text: /^EIO: .*3/s }] });
    await t.rejects(client.callTool({ name: 'local__absent', arguments: {} }), { code: -32602 });
  });

for (const era of ERAS)
  t.test(`a client of the ${era} protocol is told within a second of what came and went`, async (t) => {
    const up = await Up.start(t, { manifests: [ECHO] });
    let told = 0;
    const { client } = await mcpByStdio(t, era, ['--state-dir', up.stateDir], {
      listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => ++told } },
    });
    await client.listTools();
    const write = (manifest: JsonObject): void =>
      writeFileSync(join(up.manifests, `${manifest.service_id as string}.json`), JSON.stringify(manifest));
    const names = async (): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
    write(shellManifest('more', 'cat'));
    await until(() => told === 1, 'the news of a service that came');
    t.same(await names(), ['local__echo', 'local__more', 'job_status']);
    write(shellManifest('more', 'cat', { help_md: 'It says more.' }));
    await until(() => told === 2, 'the news of another description');
    rmSync(join(up.manifests, 'more.json'));
    await until(() => told === 3, 'the news of a service that went');
    t.same(await names(), ['local__echo', 'job_status']);
  });

const COUNT = shellManifest(
  'count',
  `for i in 1 2 3; do printf '::progress {"done": %s, "total": 3, "message": "step"}\\n' $i >&2; sleep 0.2; done; echo at last >&2; echo '{"n":3}'`,
);
/** Runs until it is ended; its marker says that it was. */
const HANG = shellManifest(
  'hang',
  'echo on >> "$0.began"; trap "echo off >> $0.ended; exit 1" TERM; while :; do sleep 0.05; done',
);

for (const era of ERAS)
  t.test(
    `a client of the ${era} protocol hears how far a call is, what it says, and may give it up`,
    async (t) => {
      const marker = join(temporaryDir(t), 'hang');
      const args = [...((HANG.runtime as JsonObject).args as string[]), marker];
      const hang = { ...HANG, runtime: { ...(HANG.runtime as JsonObject), args } };
      const up = await Up.start(t, { manifests: [COUNT, hang] });
      const { client } = await mcpByStdio(t, era, ['--state-dir', up.stateDir]);
      const said: unknown[] = [];
      client.setNotificationHandler('notifications/message', ({ params }) => void said.push(params));
      const steps: Progress[] = [];
      const meta = era === 'modern' ? { _meta: { [LOG_LEVEL_META_KEY]: 'debug' } } : {};
      const counted = await client.callTool(
        { name: 'local__count', arguments: {}, ...meta },
        { onprogress: (step) => void steps.push(step) },
      );
      t.same(counted.structuredContent, { n: 3 });
      t.match(steps.at(-1), { progress: 3, total: 3, message: 'step' });
      t.same(
        steps.map(({ progress }) => progress),
        steps.map(({ progress }) => progress).sort((a, b) => a - b),
        'it only grows',
      );
      await until(() => said.length > 0, 'the log');
      t.match(said, [{ level: 'info', data: 'at last', logger: 'local/count' }]);

      const given = new AbortController();
      const hanging = client.callTool({ name: 'local__hang', arguments: {} }, { signal: given.signal });
      await until(() => existsSync(`${marker}.began`), 'the call');
      given.abort();
      await t.rejects(hanging);
      await until(() => existsSync(`${marker}.ended`), 'the end of the driver');
      const state = (): unknown =>
        (JSON.parse(readFileSync(up.service('hang', 'status.json'), 'utf8')) as JsonObject).state;
      await until(() => state() !== 'running', 'the end of the call');
      t.equal(state(), 'cancelled');
    },
  );

for (const era of ERAS)
  t.test(
    `what takes longer than a client of the ${era} protocol waits is asked for by its job`,
    async (t) => {
      const up = await Up.start(t, { manifests: [COUNT, HANG] });
      const { client } = await mcpByStdio(t, era, ['--state-dir', up.stateDir, '--patience', '50ms']);
      const begun = await client.callTool({ name: 'local__count', arguments: {} });
      t.match(begun.content, [{ text: /still running.*job_status with \{"job":"local\/count\/.*"\}/ }]);
      const job = begun._meta!['acheron/job'];
      const ended = await client.callTool({ name: 'job_status', arguments: { job, wait_seconds: 20 } });
      t.same(ended.structuredContent, { n: 3 });
      const hanging = await client.callTool({ name: 'local__hang', arguments: {} });
      const args = { job: hanging._meta!['acheron/job'], cancel: true, wait_seconds: 20 };
      t.match(await client.callTool({ name: 'job_status', arguments: args }), {
        isError: true,
        content: [{ text: /^ECANCELED: / }],
      });
      t.match(await client.callTool({ name: 'job_status', arguments: { job: 'local/count/none' } }), {
        isError: true,
        content: [{ text: /^ENOENT: / }],
      });
    },
  );

t.test('one says which node and services are offered', async (t) => {
  const up = await Up.start(t, { manifests: [ECHO, COUNT, HANG] });
  const names = async (...args: string[]): Promise<string[]> => {
    const { client } = await mcpByStdio(t, 'legacy', ['--state-dir', up.stateDir, ...args]);
    return (await client.listTools()).tools.map(({ name }) => name);
  };
  t.same(await names('--only', 'co*', '--only', 'local/echo'), ['local__count', 'local__echo', 'job_status']);
  t.same(await names('--node', 'elsewhere'), []);
});
