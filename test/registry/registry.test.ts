import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FsError, silentLog } from '../../lib/core/index.js';
import { builtinDefinition } from '../../lib/manifest/index.js';
import type { RegistryChange, ReloadReport } from '../../lib/registry/index.js';
import { entryOf, folderOf, idsOf, manifest, next, nodeId, started } from './support.js';

t.test('a directory gives its *.json in name order, after the files that were named', async (t) => {
  const folder = folderOf(t, {
    'b.json': manifest('b'),
    'a.json': manifest('a'),
    'notes.txt': 'x',
    '.hidden.json': '{',
    'format.schema.json': '{}',
  });
  mkdirSync(join(folder, 'sub.d'));
  writeFileSync(join(folder, '..', 'z.json'), manifest('z'));
  const registry = await started(t, {
    manifestFiles: [join(folder, '..', 'z.json'), join(folder, 'b.json')],
    servicesDirs: [folder, folder],
  });
  t.same(idsOf(registry.services.values()), ['z', 'b', 'a']);
  t.equal(registry.revision, 1);
});

t.test(
  '[P] a service_id that exists already is refused, naming both sources: the node does not start',
  async (t) => {
    const folder = folderOf(t, {
      'a.json': manifest('echo'),
      'b.json': `{\n  "kind": "x",\n  "service_id": "echo"}`,
    });
    await t.rejects(started(t, { servicesDirs: [folder] }), {
      code: 'EEXIST',
      message: `${folder}/b.json:3:17: The service "echo" exists already: it comes from ${folder}/a.json.`,
    });
    const builtin = builtinDefinition(
      { service_id: 'fs', kind: 'fs', mounts: [{ mount_path: '/nodes/{node_id}/fs' }] },
      { nodeId, name: 'fs' },
    );
    rmSync(join(folder, 'b.json'));
    writeFileSync(join(folder, 'a.json'), manifest('fs', { mounts: [] }));
    await t.rejects(started(t, { servicesDirs: [folder], builtins: [builtin] }), {
      code: 'EEXIST',
      message: /a\.json:1:15: The service "fs" exists already: it comes from built-in fs\./,
    });
  },
);

t.test(
  '[P] a service_id that exists already is refused on reload: the one that was there stays',
  async (t) => {
    const folder = folderOf(t, { 'b.json': manifest('echo', { version: 'first' }), 'c.json': manifest('c') });
    const registry = await started(t, { servicesDirs: [folder] });
    writeFileSync(join(folder, 'a.json'), manifest('echo', { version: 'second' }));
    writeFileSync(join(folder, 'c.json'), manifest('echo', { version: 'third' }));
    await registry.reload();
    t.equal(registry.services.get('echo' as never)!.version, 'first');
    t.same(idsOf(registry.services.values()).sort(), ['c', 'echo']);
    t.match(entryOf(registry, 'a.json'), { state: 'invalid', faults: [{ message: /comes from .*b\.json/ }] });
    t.match(entryOf(registry, 'c.json'), { state: 'last_good', service_id: 'c' });
    rmSync(join(folder, 'b.json'));
    rmSync(join(folder, 'c.json'));
    await registry.reload();
    t.equal(registry.services.get('echo' as never)!.version, 'second', 'the next in line takes over');
    t.match(entryOf(registry, 'a.json'), { state: 'ok', faults: [] });
  },
);

t.test(
  "a root that equals another's, or hides a service's own file, is refused by the same rule",
  async (t) => {
    const at = (path: string) => ({ mounts: [{ mount_path: `/nodes/{node_id}/${path}` }] });
    const folder = folderOf(t, { 'a.json': manifest('a', at('x')), 'b.json': manifest('b', at('x/wasm')) });
    const registry = await started(t, { servicesDirs: [folder] });
    writeFileSync(join(folder, 'c.json'), manifest('c', at('x')));
    writeFileSync(join(folder, 'd.json'), manifest('d', at('x/control/y')));
    writeFileSync(join(folder, 'b.json'), manifest('b', { ...at('x/jobs'), version: '2' }));
    await registry.reload();
    t.same(idsOf(registry.services.values()), ['a', 'b']);
    t.equal(registry.services.get('b' as never)!.version, '1');
    t.match(entryOf(registry, 'c.json')['faults'], [
      { pointer: '/mounts', message: /n1\/x is taken: .*a\.json/ },
    ]);
    t.match(entryOf(registry, 'd.json')['faults'], [{ message: /hide "control"/ }]);
    await t.rejects(started(t, { servicesDirs: [folder] }), { code: 'EEXIST' });
  },
);

t.test('[P] a manifest that has become invalid keeps its last good service running', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a', { version: '1' }), 'b.json': manifest('b') });
  const registry = await started(t, { servicesDirs: [folder] });
  const before = registry.services;
  const reports: ReloadReport[] = [];
  registry.reports.on((report) => reports.push(report));
  registry.changes.on(() => t.fail('nothing may change'));
  writeFileSync(join(folder, 'a.json'), '{\n  "service_id": "a",\n  "kind": 5\n}');
  await registry.reload();
  t.equal(registry.services, before);
  t.match(reports, [{ file: join(folder, 'a.json'), serviceId: 'a', faults: [{ line: 3, column: 11 }] }]);
  t.match(entryOf(registry, 'a.json'), {
    state: 'last_good',
    service_id: 'a',
    version: '1',
    faults: [{ line: 3, column: 11, pointer: '/kind', expected: /.+/, got: '5' }],
  });
  t.equal(registry.diagnostics()['faults_total'], 1);
  await registry.reload();
  t.equal(reports.length, 1, 'reported once');
  writeFileSync(join(folder, 'a.json'), manifest('a', { version: '1' }));
  await registry.reload();
  t.match(reports[1], { faults: [] });
  t.equal(registry.services, before);
  t.match(entryOf(registry, 'a.json'), { state: 'ok' });
});

t.test('[P] an unchanged service is not touched when another one changes', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a'), 'b.json': manifest('b', { version: '1' }) });
  const registry = await started(t, { servicesDirs: [folder] });
  const before = registry.services;
  const changes: RegistryChange[] = [];
  registry.changes.on((change) => changes.push(change));
  writeFileSync(join(folder, 'b.json'), manifest('b', { version: '2' }));
  writeFileSync(join(folder, 'c.json'), manifest('c'));
  await registry.reload();
  t.equal(registry.services.get('a' as never), before.get('a' as never), 'the same object');
  const flat = changes.map(({ revision, added, updated, removed }) => [
    revision,
    idsOf(added),
    updated.map(({ before, after }) => [before.version, after.version]),
    idsOf(removed),
  ]);
  t.same(flat, [[2, ['c'], [['1', '2']], []]]);
  t.match(entryOf(registry, 'b.json'), { version: '2', previous_version: '1', changed: ['version'] });
  t.not(entryOf(registry, 'b.json')['digest'], entryOf(registry, 'b.json')['previous_digest']);
  const now = new Date();
  utimesSync(join(folder, 'a.json'), now, now);
  writeFileSync(join(folder, 'b.json'), JSON.stringify(JSON.parse(manifest('b', { version: '2' })), null, 4));
  rmSync(join(folder, 'c.json'));
  await registry.reload();
  t.same(changes[1]!.updated, []);
  t.same(idsOf(changes[1]!.removed), ['c']);
  t.equal(changes.length, 2);
});

t.test('a value of env that changes is an update, and reload.json does not show it', async (t) => {
  const withEnv = (token: string) =>
    manifest('a', { runtime: { type: 'native_proc', executable_path: '/bin/sh', env: { TOKEN: token } } });
  const folder = folderOf(t, { 'a.json': withEnv('one-secret') });
  const registry = await started(t, { servicesDirs: [folder] });
  writeFileSync(join(folder, 'a.json'), withEnv('two-secret'));
  const changed = next(registry.changes);
  await registry.reload();
  t.match((await changed).updated, [{ after: { serviceId: 'a' } }]);
  const entry = entryOf(registry, 'a.json');
  t.same(entry['changed'], ['runtime']);
  t.equal(entry['digest'], entry['previous_digest']);
  t.notMatch(JSON.stringify(registry.diagnostics()), /secret/);
});

t.test(
  'a named manifest or a services directory that cannot be used stops the start, and says all',
  async (t) => {
    const folder = folderOf(t, { 'bad.json': '{', 'worse.json': manifest('a b') });
    const missing = join(folder, 'none.json');
    const failure: unknown = await started(t, {
      manifestFiles: [join(folder, 'bad.json'), missing],
      servicesDirs: [join(folder, 'nowhere')],
    }).catch((thrown: unknown) => thrown);
    t.ok(FsError.is(failure));
    t.match(failure, { code: 'EINVAL', hint: /acheron validate/ });
    const { message } = failure as FsError;
    t.match(message, /nowhere does not exist/);
    t.match(message, /bad\.json:1:2: /);
    t.match(message, /none\.json does not exist/);
  },
);

t.test('a faulty file of a services directory does not keep the others from starting', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a'), 'bad.json': '{' });
  const registry = await started(t, { servicesDirs: [folder] });
  t.same(idsOf(registry.services.values()), ['a']);
  t.match(entryOf(registry, 'bad.json'), { state: 'invalid', service_id: null, digest: null });
  writeFileSync(join(folder, 'bad.json'), manifest('b'));
  await registry.reload();
  t.same(idsOf(registry.services.values()), ['a', 'b']);
});

t.test('a services directory that goes away leaves its services as they were', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a') });
  const registry = await started(t, { servicesDirs: [folder] });
  renameSync(folder, `${folder}.away`);
  await registry.reload();
  t.same(idsOf(registry.services.values()), ['a']);
  t.match(registry.diagnostics()['services_dirs'], [
    { path: folder, state: 'refused', fault: { message: /not exist/ } },
  ]);
  writeFileSync(join(`${folder}.away`, 'b.json'), manifest('b'));
  renameSync(`${folder}.away`, folder);
  await registry.reload();
  t.same(idsOf(registry.services.values()), ['a', 'b']);
  t.match(registry.diagnostics()['services_dirs'], [{ state: 'ok' }]);
});

t.test('a service that moves to another file is the same service', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a'), 'keep.json': manifest('keep') });
  const registry = await started(t, { servicesDirs: [folder] });
  registry.changes.on(() => t.fail('nothing changed'));
  renameSync(join(folder, 'a.json'), join(folder, 'b.json'));
  await registry.reload();
  t.same(idsOf(registry.services.values()), ['a', 'keep']);
  t.match(entryOf(registry, 'b.json'), { state: 'ok', service_id: 'a' });
  t.throws(() => entryOf(registry, 'a.json'));
});

t.test('a missing driver leaves the service listed, with a warning that goes once it is there', async (t) => {
  const folder = folderOf(t, {
    'a.json': manifest('a', { runtime: { type: 'native_proc', executable_path: './driver.sh' } }),
    'b.json': manifest('b', { runtime: { type: 'native_proc', executable_path: 'acheron-no-such-program' } }),
    'c.json': manifest('c', { runtime: { type: 'module', module_path: './none.mjs' } }),
  });
  const registry = await started(t, { servicesDirs: [folder] });
  t.same(idsOf(registry.services.values()), ['a', 'b', 'c']);
  t.match(entryOf(registry, 'a.json'), {
    state: 'ok',
    warnings: [{ pointer: '/runtime/executable_path', message: /driver\.sh does not exist/, got: 'ENOENT' }],
  });
  t.match(entryOf(registry, 'b.json')['warnings'], [{ message: /is not on PATH/ }]);
  t.match(entryOf(registry, 'c.json')['warnings'], [{ pointer: '/runtime/module_path' }]);
  writeFileSync(join(folder, 'driver.sh'), '#!/bin/sh\n');
  await registry.reload();
  t.match(entryOf(registry, 'a.json')['warnings'], [{ message: /cannot be run/, hint: /chmod \+x/ }]);
  chmodSync(join(folder, 'driver.sh'), 0o755);
  await registry.reload();
  t.same(entryOf(registry, 'a.json')['warnings'], []);
});

t.test('what is not a regular file is refused without being opened for long', async (t) => {
  const folder = folderOf(t, { 'real.txt': manifest('linked') });
  mkdirSync(join(folder, 'dir.json'));
  symlinkSync('real.txt', join(folder, 'link.json'));
  symlinkSync('nowhere', join(folder, 'dangling.json'));
  const registry = await started(t, { servicesDirs: [folder] });
  t.same(idsOf(registry.services.values()), ['linked']);
  t.match(entryOf(registry, 'dir.json')['faults'], [{ message: /not a regular file/ }]);
});

t.test(
  'a link that leads to nothing is reported in the log and in reload.json, until it leads somewhere',
  async (t) => {
    const folder = folderOf(t, { 'real.txt': manifest('linked') });
    symlinkSync('nowhere', join(folder, 'link.json'));
    const errors: string[] = [];
    const log = { ...silentLog, error: (message: string) => void errors.push(message) };
    const registry = await started(t, { servicesDirs: [folder], log });
    t.match(errors, [/link\.json.*leads to nothing/]);
    t.match(entryOf(registry, 'link.json'), {
      state: 'invalid',
      faults: [{ message: /leads to nothing/, got: 'a link to "nowhere"', hint: /remove the link/ }],
    });
    renameSync(join(folder, 'real.txt'), join(folder, 'nowhere'));
    await registry.reload();
    t.same(idsOf(registry.services.values()), ['linked']);
    t.match(entryOf(registry, 'link.json'), { state: 'ok', faults: [] });
    t.equal(errors.length, 1);
  },
);

t.test('"enabled": false leaves the service out: the file is kept, and reload.json says so', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a'), 'b.json': manifest('b', { enabled: false }) });
  const registry = await started(t, { servicesDirs: [folder] });
  t.same(idsOf(registry.services.values()), ['a']);
  t.match(entryOf(registry, 'b.json'), { state: 'disabled', service_id: 'b', faults: [] });
  writeFileSync(join(folder, 'a.json'), manifest('a', { enabled: false }));
  const report = next(registry.reports);
  const changed = next(registry.changes);
  await registry.reload();
  t.same(idsOf((await changed).removed), ['a']);
  t.match(await report, { serviceId: null, disabled: 'a', faults: [] });
  t.match(entryOf(registry, 'a.json'), { state: 'disabled', service_id: 'a' });
  writeFileSync(join(folder, 'b.json'), manifest('b'));
  await registry.reload();
  t.same(idsOf(registry.services.values()), ['b']);
});

t.test('a disabled manifest holds neither its service_id nor its roots', async (t) => {
  const off = { enabled: false };
  const folder = folderOf(t, { 'a.json': manifest('a', off), 'b.json': manifest('a', { version: '2' }) });
  const registry = await started(t, { servicesDirs: [folder] });
  t.equal(registry.services.get('a' as never)!.version, '2');
  writeFileSync(join(folder, 'a.json'), manifest('a'));
  await registry.reload();
  t.equal(registry.services.get('a' as never)!.version, '2', 'the one that was there stays');
  t.match(entryOf(registry, 'a.json'), { state: 'invalid' });
});

t.test('a driver that is missing is no concern while its manifest is disabled', async (t) => {
  const runtime = { type: 'native_proc', executable_path: '/nowhere/at-all' };
  const folder = folderOf(t, { 'a.json': manifest('a', { enabled: false, runtime }) });
  const registry = await started(t, { servicesDirs: [folder] });
  t.match(entryOf(registry, 'a.json'), { state: 'disabled', warnings: [] });
});
