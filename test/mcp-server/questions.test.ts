import type { Client } from '@modelcontextprotocol/client';
import t, { type Test } from 'tap';
import { ERAS, mcpByHttp, rawDispatch, type Era } from '../support/mcp.js';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import { suiteIsThere, suiteServer, suiteTool } from '../support/suite-server.js';
import { until } from '../support/until.js';

const PLACES: readonly Joined[] = ['here', 'through a tunnel'];
const ASKS = { name: suiteTool('test_elicitation'), arguments: { message: 'Who?' } };
type Answer = { action: 'accept'; content: Record<string, string> } | { action: 'decline' | 'cancel' };

async function planeWithSuite(t: Test, joined: Joined): Promise<PlaneWithNode> {
  const under = await PlaneWithNode.start(t, joined, [await suiteServer(t)]);
  await suiteIsThere(under);
  return under;
}

/** A client whose user answers so. */
async function clientOf(
  t: Test,
  era: Era,
  under: PlaneWithNode,
  answer: (question: { message: string; schema?: unknown }) => Answer | Promise<Answer>,
  query = '',
): Promise<Client> {
  const where = { url: under.plane.url, token: under.token('user'), query };
  const client = await mcpByHttp(t, era, where, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', ({ params }) =>
    Promise.resolve(
      answer({
        message: params.message,
        schema: 'requestedSchema' in params ? params.requestedSchema : undefined,
      }),
    ),
  );
  return client;
}

/** The name of the one job of the tool that asks. */
async function jobOf(under: PlaneWithNode): Promise<string> {
  const ids = async (): Promise<string[]> =>
    (await under.node.names(under.node.path('suite.test_elicitation', 'jobs'))).filter((name) =>
      /^\d/.test(name),
    );
  await until(async () => (await ids()).length === 1, 'the job');
  return (await ids())[0]!;
}

const statusOf = async (under: PlaneWithNode): Promise<Record<string, unknown>> =>
  under.node.json(under.node.path('suite.test_elicitation', `jobs/${await jobOf(under)}/status.json`));

for (const era of ERAS) {
  for (const joined of PLACES)
    t.test(`what a service asks, the client of the ${era} protocol asks, of a node ${joined}`, async (t) => {
      const under = await planeWithSuite(t, joined);
      const asked: unknown[] = [];
      const answers: Answer[] = [
        { action: 'accept', content: { username: 'Ada' } },
        { action: 'decline' },
        { action: 'cancel' },
      ];
      const client = await clientOf(t, era, under, (question) => {
        asked.push(question);
        return answers.shift()!;
      });
      const answered = async (): Promise<unknown> => (await client.callTool(ASKS)).structuredContent;
      t.same(await answered(), { action: 'accept', content: { username: 'Ada' } });
      t.match(asked, [{ message: 'Who?', schema: { properties: { username: { type: 'string' } } } }]);
      t.same(await answered(), { action: 'decline' });
      t.same(await answered(), { action: 'decline' }, 'a driver is not told of the difference');
    });

  t.test(`with three tools too, a service asks the client of the ${era} protocol`, async (t) => {
    const under = await planeWithSuite(t, 'here');
    const accept = { action: 'accept', content: { username: 'Ada' } } as const;
    const client = await clientOf(t, era, under, () => accept, '?compact');
    const request = { service: 'suite.test_elicitation', request: { message: 'Who?' } };
    const { structuredContent } = await client.callTool({ name: 'call_service', arguments: request });
    t.same(structuredContent, accept);
  });

  t.test(`a client of the ${era} protocol that takes no questions hears of them`, async (t) => {
    const under = await planeWithSuite(t, 'here');
    const client = await mcpByHttp(t, era, { url: under.plane.url, token: under.token('user') });
    const called = client.callTool(ASKS);
    await until(async () => (await statusOf(under))['asks'] === 'Who?', 'the question');
    const job = `n1/suite.test_elicitation/${await jobOf(under)}`;
    const { content } = await client.callTool({
      name: 'job_status',
      arguments: { job, wait_seconds: 0 },
    });
    t.match(content, [
      { text: /still running\. It asks its user, .*: Who\? Wait for its result: job_status/ },
    ]);
    await under.node.write(
      under.node.path('suite.test_elicitation', `jobs/${await jobOf(under)}/answer.json`),
      '{"username":"Eve"}',
    );
    t.match(await called, { structuredContent: { content: { username: 'Eve' } } }, 'the call goes on');
  });
}

t.test('a call that the client gives up while its user is asked ends', async (t) => {
  const under = await planeWithSuite(t, 'here');
  const over = new AbortController();
  const client = await clientOf(t, 'legacy', under, () => {
    over.abort();
    return new Promise(() => undefined);
  });
  await t.rejects(client.callTool(ASKS, { signal: over.signal }));
  await until(async () => (await statusOf(under))['state'] === 'cancelled', 'its end');
});

t.test('nobody answers what another is asked', async (t) => {
  const under = await planeWithSuite(t, 'here');
  const { url } = under.plane;
  const mine = await clientOf(t, 'legacy', under, () => new Promise(() => undefined));
  const called = mine.callTool(ASKS).catch(() => undefined);
  await until(async () => (await statusOf(under))['asks'] === 'Who?', 'the question');
  const job = `n1/suite.test_elicitation/${await jobOf(under)}`;
  const other = rawDispatch(url, under.token('user', 'mallory'));
  const forged = (requestState: string): ReturnType<typeof other> => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'acheron-test', version: '0' },
      'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
    };
    const question = { action: 'accept', content: { username: 'Mallory' } };
    return other({
      method: 'tools/call',
      params: { ...ASKS, _meta, requestState, inputResponses: { question } },
    });
  };
  t.match(await forged(JSON.stringify({ job, number: 1, progress: -1, stderrBytes: 0 })), {
    result: { isError: true, content: [{ text: /^ENOENT/ }] },
  });
  t.match(await forged('anything'), { error: { code: -32602 } });
  t.equal((await statusOf(under))['asks'], 'Who?', 'it is still asked');
  await mine.close();
  await called;
});
