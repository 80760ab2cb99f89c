import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { ECHO } from '../support/listening-node.js';
import { PlaneProcesses, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { until } from '../support/until.js';

t.test('a node of a control plane can listen by itself too; each has tokens of its own', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const admin = await plane.mount();
  const linked = plane.node('n1', [ECHO]).start(await inviteThrough(admin), ['--listen', '0']);
  const url = (await linked.program.says(/listens on (ws:\/\/[\d.]+:\d+)\./))[1]!;
  await untilOnline(admin, 'n1');
  const own = join(linked.dir, 'state', 'node.json.listen');
  const direct = ['--control-url', url, '--token-file', join(own, 'user.token')];
  t.match(await acheron(['invoke', 'greet', '{"direct":1}', ...direct]), { status: 0 });
  const foreign = ['--control-url', url, '--token-file', plane.tokenFile('admin')];
  t.match(await acheron(['ls', '/', ...foreign]), { status: 1 }, "the control plane's tokens are none here");
  await until(
    async () => /greet/.test((await plane.run(['audit', ...plane.as('admin')])).stdout),
    "what was done directly, in the control plane's audit log",
    30_000,
  );
  await plane.control.end('SIGKILL');
  t.match(await acheron(['invoke', 'greet', '{"direct":2}', ...direct]), { status: 0 }, 'without it as well');
});
