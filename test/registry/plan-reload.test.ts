import { join } from 'node:path';
import t from 'tap';
import type { ServiceDefinition } from '../../lib/manifest/index.js';
import { checkManifests, planReload, type ReloadPlan } from '../../lib/registry/index.js';
import { folderOf, manifest, nodeId, started } from './support.js';

const asNodeNames = (file: string): string => file;

/** What a reload would do to `running`, were the files in `folder` as they are now. */
async function planOf(folder: string, running: Iterable<ServiceDefinition>): Promise<ReloadPlan> {
  const { files } = await checkManifests({ manifestFiles: [], servicesDirs: [folder] }, nodeId);
  return planReload(files, [...running], asNodeNames, (source) => source.startsWith(folder));
}

const outcomes = ({ files }: ReloadPlan): string[] =>
  files.map(({ outcome, serviceId }) => `${outcome} ${serviceId ?? '?'}`);

t.test('a plan says what the registry then does, whatever was changed', async (t) => {
  const { writeFileSync, rmSync } = await import('node:fs');
  const folder = folderOf(t, {
    'a.json': manifest('a'),
    'b.json': manifest('b'),
    'c.json': manifest('c'),
    'd.json': manifest('d', { mounts: [{ mount_path: '/nodes/{node_id}/d' }] }),
    'e.json': manifest('e'),
  });
  const registry = await started(t, { servicesDirs: [folder] });
  const before = await planOf(folder, registry.services.values());
  t.same(
    outcomes(before),
    ['a', 'b', 'c', 'd', 'e'].map((id) => `unchanged ${id}`),
  );

  writeFileSync(join(folder, 'a.json'), manifest('a', { version: '2', help_md: 'more' }));
  writeFileSync(join(folder, 'b.json'), '{"service_id": "b",, }');
  rmSync(join(folder, 'c.json'));
  writeFileSync(join(folder, 'd.json'), manifest('d2', { mounts: [{ mount_path: '/nodes/{node_id}/d' }] }));
  writeFileSync(join(folder, 'e.json'), manifest('e', { enabled: false }));
  writeFileSync(join(folder, 'f.json'), manifest('f'));
  writeFileSync(join(folder, 'g.json'), manifest('a'));
  const plan = await planOf(folder, registry.services.values());
  t.same(outcomes(plan), [
    'updated a',
    'last-good b',
    'added d2',
    'removed e',
    'added f',
    'refused a',
    'removed c',
    'removed d',
  ]);
  const [updated] = plan.files;
  t.same(updated?.fields, ['/version', '/help_md']);
  t.match(updated?.diff, /^--- running\/a\.json\n\+\+\+ planned\/a\.json\n@@ /m);
  t.match(updated?.diff, /^- {2}"version": "1",$/m);
  t.match(updated?.diff, /^\+ {2}"version": "2",$/m);
  t.match(plan.files[5]?.faults, [{ message: /The service "a" exists already/ }]);

  await registry.reload();
  t.same([...registry.services.keys()].sort(), ['a', 'b', 'd2', 'f']);
});

t.test('services from elsewhere are kept, and keep what they have', async (t) => {
  const folder = folderOf(t, { 'mine.json': manifest('theirs'), 'new.json': manifest('new') });
  const other = { serviceId: 'theirs', source: '/elsewhere/theirs.json', mounts: [], descriptor: {} };
  const plan = await planOf(folder, [other as never]);
  t.same(plan.kept, ['theirs']);
  t.same(outcomes(plan), ['refused theirs', 'added new']);
  t.match(plan.files[0]?.faults, [{ message: /comes from \/elsewhere\/theirs\.json/ }]);
});
