import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TestNode, errnoOf, shellManifest } from '../support/test-node.js';

const on = shellManifest('echo', 'cat');

t.test('a service whose manifest says "enabled": false is not there, and is again as it was', async (t) => {
  const node = await TestNode.start(t, [on]);
  const file = join(node.manifests, 'echo.json');
  const write = async (manifest: object): Promise<void> => {
    writeFileSync(file, JSON.stringify(manifest));
    await node.node.registry.reload();
  };
  await node.write(node.path('echo', 'config.json'), '{"colour":"blue"}');
  await node.write(node.path('echo', 'control/invoke.json'), '{"a":1}');
  const before = await node.json(node.path('echo', 'metrics.json'));
  const jobs = await node.names(node.path('echo', 'jobs'));

  await write({ ...on, enabled: false });
  t.same(await node.names('/nodes/n1/services'), ['SERVICES.json']);
  t.notOk((await node.names('/nodes/n1')).includes('echo'), 'its root is gone');
  t.equal(await errnoOf(() => node.write(node.path('echo', 'control/invoke.json'), '{}')), 'ENOENT');
  t.same(node.node.catalog().services, []);

  await node.restart();
  t.same(node.node.catalog().services, [], 'not there after a restart either');
  await write(on);
  t.same(await node.json(node.path('echo', 'config.json')), { colour: 'blue' });
  t.match(await node.json(node.path('echo', 'metrics.json')), {
    invokes_total: before.invokes_total,
    last_finished_ms: before.last_finished_ms,
  });
  t.same(await node.json(node.path('echo', 'result.json')), { a: 1 });
  t.same(await node.names(node.path('echo', 'jobs')), jobs);
});

t.test('a service that was disabled by control stays so when its manifest was off and on', async (t) => {
  const node = await TestNode.start(t, [on]);
  const file = join(node.manifests, 'echo.json');
  await node.write(node.path('echo', 'control/disable'), '1');
  writeFileSync(file, JSON.stringify({ ...on, enabled: false }));
  await node.node.registry.reload();
  writeFileSync(file, JSON.stringify(on));
  await node.node.registry.reload();
  t.equal(await errnoOf(() => node.write(node.path('echo', 'control/invoke.json'), '{}')), 'EPERM');
});
