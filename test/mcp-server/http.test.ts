import { LOG_LEVEL_META_KEY } from '@modelcontextprotocol/client';
import t from 'tap';
import { ERAS, mcpByHttp } from '../support/mcp.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const ECHO = shellManifest('echo', 'cat', { invoke_template: { text: 'hi' } });
const ADMINS = shellManifest('admins', 'cat', { permissions: { allow_roles: ['admin'] } });
const COUNT = shellManifest(
  'count',
  `for i in 1 2 3; do printf '::progress {"done": %s, "total": 3}\\n' $i >&2; sleep 0.1; done; echo said >&2; echo '{"n":3}'`,
);
const PLACES: readonly Joined[] = ['here', 'through a tunnel'];

for (const era of ERAS)
  for (const joined of PLACES)
    t.test(`/mcp serves the ${era} protocol, of a node ${joined}`, async (t) => {
      const under = await PlaneWithNode.start(t, joined, [ECHO, ADMINS, COUNT]);
      const { url } = under.plane;
      const admin = await mcpByHttp(t, era, { url, token: under.token('admin') });
      const user = await mcpByHttp(t, era, { url, token: under.token('user') });
      const names = async (client: typeof user): Promise<string[]> =>
        (await client.listTools()).tools.map(({ name }) => name);
      t.same(await names(admin), ['n1__admins', 'n1__count', 'n1__echo', 'job_status']);
      t.same(await names(user), ['n1__count', 'n1__echo', 'job_status']);
      const args = { text: 'hi' };
      t.same((await user.callTool({ name: 'n1__echo', arguments: args })).structuredContent, args);
      await t.rejects(user.callTool({ name: 'n1__admins', arguments: args }), { code: -32602 });
      const said: unknown[] = [];
      user.setNotificationHandler('notifications/message', ({ params }) => void said.push(params.data));
      const steps: number[] = [];
      const meta = era === 'modern' ? { _meta: { [LOG_LEVEL_META_KEY]: 'debug' } } : {};
      const counted = await user.callTool(
        { name: 'n1__count', arguments: {}, ...meta },
        { onprogress: ({ progress }) => void steps.push(progress) },
      );
      t.same(counted.structuredContent, { n: 3 });
      t.equal(steps.at(-1), 3);
      t.same(said, ['said']);
      const one = await mcpByHttp(t, era, { url, token: under.token('user'), query: '?only=n1/e*' });
      t.same(await names(one), ['n1__echo', 'job_status']);
    });

for (const era of ERAS)
  for (const joined of PLACES)
    t.test(
      `a client of the ${era} protocol is told what its rights have become, of a node ${joined}`,
      async (t) => {
        const under = await PlaneWithNode.start(t, joined, [ECHO, COUNT]);
        const { store } = under.plane.control;
        store.projects.create('p', { accessPolicy: { actions: { invoke: 'open' } } }, false);
        const { token, record } = store.tokens.create({
          role: 'user',
          agentId: 'a',
          projects: ['p'],
          label: null,
        });
        let told = 0;
        const client = await mcpByHttp(
          t,
          era,
          { url: under.plane.url, token, headers: { 'acheron-project': 'p' } },
          { listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => ++told } } },
        );
        const names = async (): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
        t.same(await names(), ['n1__count', 'n1__echo', 'job_status']);
        store.projects.update('p', { accessPolicy: { actions: { invoke: 'deny' } } });
        await until(() => told === 1, 'the news that nothing is allowed any more');
        t.same(await names(), []);
        await t.rejects(client.callTool({ name: 'n1__echo', arguments: {} }), { code: -32602 });
        store.projects.update('p', { accessPolicy: { actions: { invoke: 'open' } } });
        await until(() => told === 2, 'the news that it is again');
        store.tokens.revoke(record.tokenId);
        await t.rejects(client.callTool({ name: 'n1__echo', arguments: {} }));
      },
    );

for (const era of ERAS)
  t.test(`a project that there is not is refused, and no lost session, in the ${era} protocol`, async (t) => {
    const under = await PlaneWithNode.start(t, 'here', [ECHO]);
    const address = `${under.plane.url.replace(/^ws/, 'http')}/mcp`;
    const answer = await fetch(address, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${under.token('user')}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'acheron-project': 'none',
        ...(era === 'modern' ? { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' } : {}),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
    });
    t.equal(answer.status, 403);
    t.match(await answer.text(), /There is no project "none"/);
  });
