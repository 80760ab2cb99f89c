import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

async function opened(files: RawClient, path: string): Promise<unknown> {
  const { node } = (await files.ask('t_fs_lookup', { node: 1 }, { path })).payload;
  return (await files.ask('t_fs_open', { node }, { mode: 'w' })).payload['handle'];
}

t.test('a control plane that stops says goodbye to mounts, which it would cut off else', async (t) => {
  const under = await PlaneWithNode.start(t, 'here', [shellManifest('tool', 'cat')]);
  const { files } = await under.session({ token: under.token('admin') });
  await under.plane.close();
  t.equal(await files.closed, 1001);
});

t.test('what a mount waits for is still answered, where that takes a moment', async (t) => {
  const begun = join(temporaryDir(t), 'begun');
  const script = `touch '${begun}'; sleep 0.05; cat`;
  const under = await PlaneWithNode.start(t, 'here', [shellManifest('tool', script)]);
  const { files } = await under.session({ token: under.token('admin') });
  const h = await opened(files, 'nodes/n1/services/tool/control/invoke.json');
  const content = Buffer.from('{"a":1}\n').toString('base64');
  const written = files.ask('t_fs_write', { h }, { offset: 0, data_b64: content });
  await until(() => existsSync(begun), 'the call');
  const closed = under.plane.close();
  // On a machine that is busy the call may take longer than that moment; then the connection is cut (1006).
  const heard = await Promise.race([written, files.closed]);
  t.ok(heard === 1006 || (heard as RawFrame).ok === true);
  await closed;
});
