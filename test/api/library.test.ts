import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { connect, FsError, mount, startControlPlane, startNode } from '../../lib/index.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

t.test('a program starts a node and a control plane, connects, calls, and mounts', async (t) => {
  const dir = temporaryDir(t);
  const servicesDir = join(dir, 'services');
  mkdirSync(servicesDir);
  writeFileSync(
    join(servicesDir, 'count.json'),
    JSON.stringify(shellManifest('count', 'echo x >> ran; cat')),
  );
  const node = await startNode({ stateDir: join(dir, 'node'), servicesDirs: [servicesDir] });
  t.teardown(() => node.close());
  t.same(await node.client.invoke('count', { n: 1 }), { n: 1 });
  t.match(await node.client.services(), [{ node_id: 'local', service_id: 'count', has_invoke: true }]);

  const plane = await startControlPlane({ stateDir: join(dir, 'plane'), port: 0, node });
  t.teardown(() => plane.close());
  const token = readFileSync(plane.adminTokenFile, 'utf8').trim();
  const client = await connect({ url: plane.url, token });
  t.teardown(() => client.close());
  const once = { key: 'one' };
  t.same(await client.invoke('local/count', { n: 2 }, once), { n: 2 });
  t.same(await client.invoke('local/count', { n: 2 }, once), { n: 2 });
  t.equal(readFileSync(join(servicesDir, 'ran'), 'utf8'), 'x\nx\n', 'the same key ran once');
  t.match(await client.read('/nodes/local/services/count/README.md'), /count/);
  await client.write('/nodes/local/services/count/control/reset', '1');
  await t.rejects(client.invoke('absent', {}), { code: 'ENOENT' });
  await t.rejects(client.invoke('count', [] as never), { code: 'EINVAL' });
  await t.rejects(connect({ url: plane.url, token: 'x'.repeat(43) }), { code: 'EACCES' });
  t.ok(await client.list('/nope').catch((error: unknown) => error instanceof FsError));

  const mounted = await mount(client, join(dir, 'mnt'));
  t.teardown(() => mounted.unmount());
  t.match(JSON.parse(await readFile(join(mounted.dir, 'session.json'), 'utf8')), { role: 'admin' });
  await mounted.unmount();
  await client.close();
});
