import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { OTHER_USER, TestNode, USER, errnoOf, shellManifest, temporaryDir } from '../support/test-node.js';

const HELD = (gate: string): string => `until test -e ${gate}; do sleep 0.02; done; echo '{"done":true}'`;

t.test('a write to wait returns when the job has ended, and not before', async (t) => {
  const gate = join(temporaryDir(t), 'gate');
  const node = await TestNode.start(t, [shellManifest('held', HELD(gate))]);
  const control = node.path('held', 'control/submit.json');
  await node.write(control, '{"_key":"k"}', USER);
  const [id] = await node.names(node.path('held', 'jobs'), USER);
  const wait = node.path('held', `jobs/${id}/wait`);

  t.match(await node.read(wait, USER), /number of seconds/, 'a read says its use at once');
  const startedAt = performance.now();
  t.equal(await errnoOf(() => node.write(wait, '0.2\n', USER)), 'ETIMEDOUT');
  t.ok(performance.now() - startedAt >= 199);
  for (const words of ['', 'soon', '-1', '86401', '1e3'])
    t.equal(await errnoOf(() => node.write(wait, `${words}\n`, USER)), 'EINVAL', words);
  t.not(await errnoOf(() => node.write(wait, '1\n', OTHER_USER)), null, 'others know nothing of it');

  const abandon = new AbortController();
  const abandoned = errnoOf(() => node.write(wait, '60\n', USER, abandon.signal));
  abandon.abort(new FsError('ECANCELED', 'Enough.'));
  t.equal(await abandoned, 'ECANCELED');
  t.match(await node.json(node.path('held', 'metrics.json'), USER), { invokes_total: 1, rejected_total: 0 });
  t.match(await node.json(node.path('held', `jobs/${id}/status.json`), USER), { state: 'running' });

  const waiting = node.write(wait, '60\n', USER);
  writeFileSync(gate, '');
  await waiting;
  t.match(await node.json(node.path('held', `jobs/${id}/status.json`), USER), { state: 'ok' });
  await node.write(wait, '0\n', USER);
});

t.test('a job that has left jobs/ can still be waited for by its key', async (t) => {
  const node = await TestNode.start(t, [shellManifest('cat', 'cat')], {
    jobLimits: { keep: 1, keepBytes: 1e6, keyMs: 60_000, maxKeys: 100, maxKeyBytes: 1e6 },
  });
  for (const key of ['a', 'b'])
    await node.write(node.path('cat', 'control/invoke.json'), `{"_key":"${key}"}`, USER);
  await node.write(node.path('cat', 'jobs/by-key/a/wait'), '60\n', USER);
  t.match(await node.names(node.path('cat', 'jobs/by-key/a'), USER), ['status.json', 'result.json']);
});

t.test(
  'status.json and health.json name the service and what runs it, HOST.json what the host does',
  async (t) => {
    const node = await TestNode.start(t, [
      shellManifest('cat', 'cat'),
      { service_id: 'notes', kind: 'notes', permissions: { allow_roles: 'all' } },
    ]);
    for (const file of ['status.json', 'health.json'])
      t.match(await node.json(node.path('cat', file)), { service_id: 'cat', runtime: 'native_proc' });
    await node.write(node.path('cat', 'control/invoke.json'), '{}');
    t.match(await node.json(node.path('cat', 'status.json')), { state: 'ok', service_id: 'cat' });
    t.match(await node.json(node.path('notes', 'health.json')), { service_id: 'notes', runtime: 'static' });
    t.same((await node.json(node.path('cat', 'HOST.json'))).features, {
      supervision: true,
      hot_reload: true,
      dynamic_mounts: true,
      progress: true,
    });
    t.match((await node.json(node.path('notes', 'HOST.json'))).features, { supervision: false });
  },
);
