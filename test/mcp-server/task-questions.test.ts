import { createTaskSessionFromClient, resultFromTaskOutcome } from '@modelcontextprotocol/ext-tasks/client';
import t from 'tap';
import * as z from 'zod';
import { mcpByHttp, rawDispatch } from '../support/mcp.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { suiteIsThere, suiteServer, suiteTool } from '../support/suite-server.js';
import { until } from '../support/until.js';

t.test('what a task asks, its client asks', async (t) => {
  const under = await PlaneWithNode.start(t, 'here', [await suiteServer(t)]);
  await suiteIsThere(under);
  const { url } = under.plane;
  const token = under.token('user');
  const client = await mcpByHttp(t, 'modern', { url, token }, { capabilities: { elicitation: {} } });
  const asked: unknown[] = [];
  const how = {
    rawDispatch: rawDispatch(url, token),
    v2RequestFraming: {
      protocolVersion: '2026-07-28',
      clientInfo: { name: 'acheron-test', version: '0' },
      clientCapabilities: { elicitation: {} },
    },
    onInputRequest: (request: unknown) => {
      asked.push(request);
      return Promise.resolve({ action: 'accept', content: { username: 'Ada' } });
    },
  };
  const session = createTaskSessionFromClient(client, { endpointId: 'test', ...(how as object) });
  t.teardown(() => session.close());
  const execution = await session.callTool(suiteTool('asks_late'), {}, { task: { preference: 'prefer' } });
  t.equal(execution.kind, 'task');
  const { outcome } = await execution.settle();
  t.match(resultFromTaskOutcome(outcome), {
    structuredContent: { action: 'accept', content: { username: 'Ada' } },
  });
  t.match(asked, [{ kind: 'elicitation', params: { message: 'Still there?' } }], 'it is asked once');
});

t.test('what a task of 2025-11-25 asks, its client asks while it waits for the result', async (t) => {
  const under = await PlaneWithNode.start(t, 'here', [await suiteServer(t)]);
  await suiteIsThere(under);
  const where = { url: under.plane.url, token: under.token('user') };
  const client = await mcpByHttp(t, 'legacy', where, { capabilities: { elicitation: {} } });
  const asked: unknown[] = [];
  client.setRequestHandler('elicitation/create', ({ params }) => {
    asked.push(params);
    return Promise.resolve({ action: 'accept', content: { username: 'Ada' } });
  });
  const ask = (method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> =>
    client.request({ method, params }, z.looseObject({}));
  const call = { name: suiteTool('test_elicitation'), arguments: { message: 'Who?' }, task: {} };
  const { task } = await ask('tools/call', call);
  const { taskId } = task as { taskId: string };
  await until(
    async () => (await ask('tasks/get', { taskId }))['status'] === 'input_required',
    'the question',
  );
  t.match(await ask('tasks/result', { taskId }), {
    structuredContent: { action: 'accept', content: { username: 'Ada' } },
  });
  t.match(asked, [{ message: 'Who?', _meta: { 'io.modelcontextprotocol/related-task': { taskId } } }]);
});
