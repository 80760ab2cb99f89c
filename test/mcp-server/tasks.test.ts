import { createTaskSessionFromClient, resultFromTaskOutcome } from '@modelcontextprotocol/ext-tasks/client';
import t from 'tap';
import { ERAS, mcpByHttp, rawDispatch, type Era } from '../support/mcp.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest, type Teardown } from '../support/test-node.js';
import { until } from '../support/until.js';

/** Longer than a call is waited for before it becomes a task. */
const SLOW = shellManifest('slow', 'sleep 6; echo \'{"n":1}\'');
const HANG = shellManifest('hang', 'exec sleep 600');

async function taskSession(t: Teardown, era: Era, under: PlaneWithNode) {
  const { url } = under.plane;
  const token = under.token('user');
  const client = await mcpByHttp(t, era, { url, token });
  const raw =
    era === 'legacy'
      ? {}
      : {
          rawDispatch: rawDispatch(url, token),
          v2RequestFraming: {
            protocolVersion: '2026-07-28',
            clientInfo: { name: 'acheron-test', version: '0' },
            clientCapabilities: {},
          },
        };
  const session = createTaskSessionFromClient(client, { endpointId: 'test', ...(raw as object) });
  t.teardown(() => session.close());
  return session;
}

for (const era of ERAS)
  t.test(`a long call is a task for a client of the ${era} protocol that takes tasks`, async (t) => {
    const under = await PlaneWithNode.start(t, 'here', [SLOW, HANG]);
    const session = await taskSession(t, era, under);
    const options = { task: { preference: 'prefer' } } as const;
    const execution = await session.callTool('n1__slow', {}, options);
    t.equal(execution.kind, 'task');
    const { outcome } = await execution.settle();
    t.match(resultFromTaskOutcome(outcome), { structuredContent: { n: 1 } });

    const hanging = await session.callTool('n1__hang', {}, options);
    t.equal(hanging.kind, 'task');
    if (hanging.kind === 'task') await session.cancelTask(hanging.handle.taskId);
    await until(async () => {
      const status = await under.node.json(under.node.path('hang', 'metrics.json'));
      return status.cancelled_total === 1;
    }, 'the end of the driver');
  });
