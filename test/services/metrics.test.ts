import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TestNode, errnoOf, shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

interface Metrics {
  readonly invokes_total: number;
  readonly failures_total: number;
  readonly consecutive_failures: number;
  readonly running: number;
}

t.test('a call that a kill interrupted is counted once, whatever was counted when it died', async (t) => {
  const manifests = [shellManifest('mixed', 'if grep -q long; then sleep 60; fi; echo "{}"')];
  const node = await TestNode.start(t, manifests);
  const submit = (payload: string): Promise<void> =>
    node.write(node.path('mixed', 'control/submit.json'), payload);
  await submit('{"long":1}');
  await node.write(node.path('mixed', 'control/invoke.json'), '{}');
  await submit('{"long":2}');
  await until(async () => {
    const { running } = await node.json<Metrics>(node.path('mixed', 'metrics.json'));
    return running === 2;
  }, 'both long calls');
  // what a kill at this instant would leave
  const killed = await TestNode.start(t, []);
  await killed.node.close();
  rmSync(join(killed.dir, 'state'), { recursive: true });
  cpSync(join(node.dir, 'state'), join(killed.dir, 'state'), {
    recursive: true,
    filter: (file) => !file.includes('.processes') && !file.includes('.lock'),
  });
  cpSync(node.manifests, killed.manifests, { recursive: true });
  await killed.restart();
  for (let start = 1; start <= 2; start++) {
    t.match(await killed.json(killed.path('mixed', 'metrics.json')), { invokes_total: 3, failures_total: 2 });
    t.match(await killed.json(killed.path('mixed', 'status.json')), { state: 'error', error: 'interrupted' });
    await killed.restart();
  }
});

t.test('what enable and restart cleared stays cleared after a restart of the node', async (t) => {
  const node = await TestNode.start(t, [shellManifest('bad', 'exit 3')]);
  const consecutive = async (): Promise<number> =>
    (await node.json<Metrics>(node.path('bad', 'metrics.json'))).consecutive_failures;
  for (const control of ['enable', 'restart']) {
    t.equal(await errnoOf(() => node.write(node.path('bad', 'control/invoke.json'), '{}')), 'EIO');
    t.equal(await consecutive(), 1);
    await node.write(node.path('bad', `control/${control}`), '1');
    t.equal(await consecutive(), 0);
    await node.restart();
    t.equal(await consecutive(), 0, control);
  }
});
