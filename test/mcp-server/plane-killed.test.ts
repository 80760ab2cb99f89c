import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { mcpByHttp, mcpByStdio } from '../support/mcp.js';
import { mountDirFor } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';
import { freePort } from '../support/free-port.js';

t.test('clients go on after the control plane was killed and started again', async (t) => {
  const port = await freePort();
  const stateDir = join(temporaryDir(t), 'state');
  const start = (): Promise<Up> =>
    Up.start(t, {
      stateDir,
      dir: mountDirFor(t),
      control: true,
      manifests: [shellManifest('echo', 'cat')],
      args: ['--port', String(port), '--console-link'],
    });
  const first = await start();
  const url = `ws://127.0.0.1:${port}`;
  const tokenFile = join(stateDir, 'user.token');
  const token = readFileSync(tokenFile, 'utf8').trim();
  const modern = await mcpByHttp(t, 'modern', { url, token });
  const legacy = await mcpByHttp(t, 'legacy', { url, token });
  const { client: stdio } = await mcpByStdio(t, 'legacy', ['--control-url', url, '--token-file', tokenFile]);
  const call = { name: 'local__echo', arguments: { a: 1 } };
  for (const client of [modern, legacy, stdio])
    t.same((await client.callTool(call)).structuredContent, { a: 1 });

  first.child.kill('SIGKILL');
  await first.ended;
  await t.rejects(modern.callTool(call));
  t.match(await stdio.callTool(call), { isError: true, content: [{ text: /^EHOSTDOWN/ }] });
  await start();
  t.same((await modern.callTool(call)).structuredContent, { a: 1 }, 'who has no session needs none');
  await t.rejects(legacy.callTool(call), 'the session is gone');
  const again = await mcpByHttp(t, 'legacy', { url, token });
  t.same((await again.callTool(call)).structuredContent, { a: 1 });
  await until(async () => (await stdio.callTool(call)).isError !== true, 'the command to be connected again');
});
