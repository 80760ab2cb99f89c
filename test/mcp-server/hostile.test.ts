import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { extent } from '../support/extent.js';
import { ERAS, mcpByHttp, rawDispatch } from '../support/mcp.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const ECHO = shellManifest('echo', 'cat', { runtime: { max_queue: 2048 } });
const HANG = shellManifest('hang', 'exec sleep 600', { runtime: { max_queue: 2048 } });

const CALLS = extent('ACHERON_MCP_CALLS', { short: 300, long: 1000 });

async function start(t: Parameters<typeof PlaneWithNode.start>[0]) {
  const under = await PlaneWithNode.start(t, 'here', [ECHO, HANG]);
  const address = `${under.plane.url.replace(/^ws/, 'http')}/mcp`;
  const token = under.token('user');
  const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(address, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body,
    });
  return { under, address, token, post };
}

t.test('who has no token, or comes from a page or by another name, is turned away', async (t) => {
  const { address, post } = await start(t);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  for (const authorization of [
    '',
    'Bearer x',
    'Basic eDp5',
    `Bearer acheron_user_${'0'.repeat(12)}_${'x'.repeat(43)}`,
  ]) {
    const answer = await post(body, { authorization });
    t.equal(answer.status, 401, authorization);
    t.equal(answer.headers.get('www-authenticate'), 'Bearer');
  }
  t.equal((await post(body, { origin: 'https://evil.example' })).status, 403);
  t.equal((await post(body, { origin: 'null' })).status, 403);
  const { port } = new URL(address);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n');
  const [head] = (await once(socket, 'data')) as [Buffer];
  t.match(head.toString(), /^HTTP\/1.1 403/);
  socket.destroy();
});

t.test(
  'bodies that are too large, or nothing that the protocol knows, are refused, and the plane goes on',
  async (t) => {
    const { under, address, token, post } = await start(t);
    t.equal((await post(JSON.stringify({ junk: 'x'.repeat(5 * 1024 * 1024) }))).status, 413);
    const bad = [
      '',
      '{',
      '[]',
      '{}',
      'null',
      '"x"',
      '[{}]',
      '{"jsonrpc":"2.0"}',
      '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    ];
    for (const body of [
      ...bad,
      '['.repeat(50_000),
      JSON.stringify({ jsonrpc: '2.0', id: { a: 1 }, method: 'ping' }),
    ]) {
      const answer = await post(body);
      t.ok(answer.status >= 400 && answer.status < 500, `${answer.status} for ${body.slice(0, 40)}`);
      await answer.text();
    }
    t.equal((await post('{}', { 'content-type': 'text/plain' })).status, 415);
    t.equal(
      (await post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', { 'mcp-session-id': 'nobody' })).status,
      404,
    );
    const get = await fetch(address, {
      headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    });
    t.ok(get.status >= 400, 'no news without a session');
    t.ok(
      [404, 405, 400].includes(
        (await fetch(address, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })).status,
      ),
    );
    const client = await mcpByHttp(t, 'modern', { url: under.plane.url, token });
    t.same((await client.callTool({ name: 'n1__echo', arguments: { a: 1 } })).structuredContent, { a: 1 });
  },
);

t.test("nobody uses another's session, or learns of another's job", async (t) => {
  const { under, post } = await start(t);
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '0' } },
  };
  const begun = await post(JSON.stringify(initialize));
  await begun.text();
  const session = begun.headers.get('mcp-session-id')!;
  const list = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}';
  t.equal((await post(list, { 'mcp-session-id': session })).status, 200);
  const other = under.token('user', 'other');
  t.equal((await post(list, { 'mcp-session-id': session, authorization: `Bearer ${other}` })).status, 404);

  const { url } = under.plane;
  const mine = await mcpByHttp(t, 'legacy', { url, token: under.token('user', 'me') });
  await mine.callTool({ name: 'n1__echo', arguments: { a: 1 } });
  const [id] = await under.node.names(under.node.path('echo', 'jobs'));
  const job = `n1/echo/${id!}`;
  const ask = { name: 'job_status', arguments: { job } };
  t.same((await mine.callTool(ask)).structuredContent, { a: 1 });
  const theirs = await mcpByHttp(t, 'legacy', { url, token: other });
  t.match(await theirs.callTool(ask), { isError: true, content: [{ text: /^ENOENT/ }] });
});

for (const era of ERAS)
  t.test(`${CALLS} calls of a client of the ${era} protocol, 64 at a time, are all answered`, async (t) => {
    const { under, token } = await start(t);
    const client = await mcpByHttp(t, era, { url: under.plane.url, token });
    let waiting = 0;
    const call = async (n: number): Promise<void> => {
      waiting++;
      const { structuredContent } = await client.callTool(
        { name: 'n1__echo', arguments: { n } },
        { timeout: 200_000 },
      );
      t.same(structuredContent, { n });
      waiting--;
    };
    const numbers = Array.from({ length: CALLS }, (_, n) => n).values();
    const worker = async (): Promise<void> => {
      for (const n of numbers) await call(n);
    };
    await Promise.all(Array.from({ length: 64 }, worker));
    t.equal(waiting, 0);
  });

t.test('a flood beyond what a token may have at a time is told to wait, and others are served', async (t) => {
  const { under, token } = await start(t);
  const raw = rawDispatch(under.plane.url, token);
  const hanging = await mcpByHttp(t, 'modern', { url: under.plane.url, token });
  const given = Array.from({ length: 300 }, () => new AbortController());
  const calls = given.map(({ signal }) =>
    hanging.callTool({ name: 'n1__hang', arguments: {} }, { signal }).then(
      () => 'answered',
      (thrown: unknown) => (thrown as Error).message,
    ),
  );
  const early = await Promise.race(calls);
  t.match(early, /429|too many/i);
  t.equal(
    (await raw({ method: 'nonsense', params: {} }).catch(() => ({ kind: 'turned away' }))).kind === 'result',
    false,
  );
  const other = await mcpByHttp(t, 'modern', { url: under.plane.url, token: under.token('user', 'other') });
  t.same((await other.callTool({ name: 'n1__echo', arguments: { a: 1 } })).structuredContent, { a: 1 });
  for (const one of given) one.abort();
  await Promise.all(calls);
  await until(async () => {
    const metrics = await under.node.json(under.node.path('hang', 'metrics.json'));
    return metrics.running === 0 && metrics.queued === 0;
  }, 'the end of all that was given up');
});
