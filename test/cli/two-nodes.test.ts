import { join } from 'node:path';
import t from 'tap';
import { acheron, Up } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

t.test('two nodes of one state directory are each reached by the commands, and end apart', async (t) => {
  const stateDir = join(temporaryDir(t), 'state');
  const first = await Up.start(t, { stateDir, manifests: [shellManifest('one', 'echo 1')] });
  const second = await Up.start(t, {
    stateDir,
    manifests: [shellManifest('two', 'echo 2')],
    args: ['--state-file', join(stateDir, 'second.json')],
  });
  const of = ['--state-dir', stateDir];
  const ofSecond = [...of, '--state-file', join(stateDir, 'second.json')];
  const nodes = await acheron(['invoke', 'one', '{}', ...of]);
  t.match(nodes, { status: 0, stdout: /1/ });
  t.match(await acheron(['invoke', 'two', '{}', ...ofSecond]), { status: 0, stdout: /2/ });
  await second.stop();
  t.match(await acheron(['invoke', 'one', '{}', ...of]), { status: 0 }, 'the first goes on to be reached');
  t.match(await acheron(['ls', '/', ...ofSecond]), {
    status: 1,
    stderr: /No node is running.*--state-file/s,
  });
  await first.stop();
  t.match(await acheron(['ls', '/', ...of]), { status: 1, stderr: /No node is running/ });
});
