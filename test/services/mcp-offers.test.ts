import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { fixture } from '../support/drivers.js';
import { referenceServer } from '../support/reference-servers.js';
import { OTHER_USER, READ, TestNode, USER, errnoOf } from '../support/test-node.js';
import { until } from '../support/until.js';

const many = (runtime: JsonObject = {}, args: readonly string[] = []): JsonObject => ({
  service_id: 'many',
  kind: 'mcp',
  permissions: { allow_roles: ['admin', 'user'] },
  runtime: { type: 'mcp', command: process.execPath, args: [fixture('many-mcp.mjs'), ...args], ...runtime },
});

async function nodeWith(t: Test, manifest: JsonObject, service: string): Promise<TestNode> {
  const node = await TestNode.start(t, [manifest]);
  await offers(node, service);
  return node;
}

async function offers(node: TestNode, service: string): Promise<void> {
  const isThere = async (): Promise<boolean> => (await node.names('/nodes/n1/services')).includes(service);
  await until(isThere, `${service} is there`);
}

const job = async (node: TestNode, service: string): Promise<string> =>
  node.path(service, `jobs/${(await node.names(node.path(service, 'jobs')))[0]!}`);

t.test(
  'what a server offers is there at the next start at once, with its jobs and their files',
  async (t) => {
    const node = await nodeWith(
      t,
      referenceServer('every', 'server-everything', ['stdio']),
      'every.get-tiny-image',
    );
    await node.write(node.path('every.get-tiny-image', 'control/invoke.json'), '{}');
    const image = `${await job(node, 'every.get-tiny-image')}/content/2.png`;
    const shown = await node.read(image);
    const history = await node.read(node.path('every.echo', 'HISTORY.ndjson'));
    t.equal(history.trim().split('\n').length, 1);
    await node.restart();
    t.ok((await node.names('/nodes/n1/services')).includes('every.echo'), 'before the server says anything');
    t.equal(await node.read(image), shown);
    await node.write(node.path('every.echo', 'control/invoke.json'), '{"message":"again"}');
    t.match(await node.read(node.path('every.echo', 'result.json')), /Echo: again/);
    t.equal(await node.read(node.path('every.echo', 'HISTORY.ndjson')), history, 'nothing came or went');
  },
);

t.test('prompts, templates and resources are below the root of the server', async (t) => {
  const node = await nodeWith(t, referenceServer('every', 'server-everything', ['stdio']), 'every.echo');
  t.ok((await node.names('/nodes/n1/every/tools')).includes('echo'));
  await node.write('/nodes/n1/every/prompts/args-prompt/control/invoke.json', '{"city":"Rome"}');
  t.match(await node.json('/nodes/n1/every/prompts/args-prompt/result.json'), {
    messages: [{ role: 'user', content: { type: 'text', text: /Rome/ } }],
  });
  t.equal(
    await errnoOf(() => node.write('/nodes/n1/every/prompts/args-prompt/control/invoke.json', '{}')),
    'EINVAL',
  );
  const [template = ''] = await node.names('/nodes/n1/every/templates');
  await node.write(`/nodes/n1/every/templates/${template}/control/invoke.json`, '{"resourceId":"1"}');
  for (const where of ['/nodes/n1/every', '/nodes/n1/services/every']) {
    const [name = ''] = await node.names(`${where}/resources`);
    const text = await node.read(`${where}/resources/${name}`);
    t.ok(text.length > 100);
    const handle = await node.open(`${where}/resources/${name}`, READ);
    t.equal((await handle.stat(node.op())).size, Buffer.byteLength(text), 'the size is that of what is read');
    await handle.release();
  }
});

t.test(
  'a manifest that changes what it takes of a server is a reload, in the history and the plan',
  async (t) => {
    const node = await nodeWith(t, many(), 'many.act');
    const file = join(node.manifests, 'many.json');
    const planned = await node.node.registry.plan(new Map([[file, null]]), new Set());
    t.same(planned.files.map(({ outcome, serviceId }) => [outcome, serviceId]).sort(), [
      ['removed', 'many'],
      ['removed', 'many.act'],
    ]);
    writeFileSync(file, JSON.stringify(many({ tools: {} })));
    await node.node.registry.reload();
    t.notOk((await node.names('/nodes/n1/services')).includes('many.act'));
    writeFileSync(
      file,
      JSON.stringify(many({ tools: { act: { permissions: { allow_roles: ['admin'] } }, none: {} } })),
    );
    await node.node.registry.reload();
    t.ok((await node.names('/nodes/n1/services')).includes('many.act'));
    t.notOk((await node.names('/nodes/n1/services', USER)).includes('many.act'));
    const [entry] = node.node.registry.diagnostics()['files'] as unknown as {
      offers: string[];
      warnings: JsonObject[];
    }[];
    t.same(entry!.offers, ['many.act']);
    t.match(entry!.warnings, [{ message: /has no tool "none"/ }]);
    const changes = (await node.read(node.path('many.act', 'HISTORY.ndjson'))).match(/"change":"\w+"/g);
    t.same(changes, ['"change":"added"', '"change":"removed"', '"change":"added"']);
  },
);

t.test('no secret of a manifest shows in the tree', async (t) => {
  const node = await nodeWith(t, many({ env: { KEY: 'hush-hush' } }), 'many.act');
  for (const service of ['many', 'many.act'])
    for (const name of ['SERVICE.json', 'RUNTIME.json', 'HOST.json', 'README.md'])
      t.notMatch(await node.read(node.path(service, name)), /hush-hush/);
  t.match(await node.json(node.path('many', 'RUNTIME.json')), { env: ['KEY'] });
});

for (const args of [[], ['--legacy']])
  t.test(
    `a question is a file of the job, and so is the answer (${args.join('') || 'the newest protocol'})`,
    async (t) => {
      const node = await nodeWith(t, many({ elicitation: true }, args), 'many.act');
      await node.write(node.path('many.act', 'control/submit.json'), '{"do":"ask"}', USER);
      const dir = await job(node, 'many.act');
      await until(async () => (await node.names(dir, USER)).includes('question.json'), 'it is asked');
      t.match(await node.json(`${dir}/question.json`, USER), {
        message: 'Who?',
        schema: { required: ['name'] },
      });
      t.equal(await errnoOf(() => node.read(`${dir}/question.json`, OTHER_USER)), 'ENOENT');
      t.equal(await errnoOf(() => node.write(`${dir}/answer.json`, '{"name":"Eve"}', OTHER_USER)), 'ENOENT');
      t.equal(await errnoOf(() => node.write(`${dir}/answer.json`, 'Ada', USER)), 'EINVAL');
      await node.write(`${dir}/answer.json`, '{"name":"Ada"}\n', USER);
      await node.write(`${dir}/wait`, '20', USER);
      t.match(await node.json(`${dir}/result.json`, USER), { action: 'accept', content: { name: 'Ada' } });
      t.notOk((await node.names(dir, USER)).includes('question.json'));
    },
  );

t.test('control/restart of the server starts it anew', async (t) => {
  const node = await nodeWith(t, many(), 'many.act');
  const pid = async (): Promise<unknown> => {
    await node.write(node.path('many.act', 'control/invoke.json'), '{"do":"context"}');
    return (await node.json(node.path('many.act', 'result.json')))['pid'];
  };
  const first = await pid();
  t.same(await node.names(node.path('many', 'control')), ['restart']);
  await node.write(node.path('many', 'control/restart'), '1');
  t.not(await pid(), first);
});
