import {
  closeSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folderOf, idsOf, manifest, next, started } from './support.js';

const versionOf = (version: string) => (change: { updated: readonly { after: { version: string } }[] }) =>
  change.updated.some(({ after }) => after.version === version);

t.test('a saved change is seen by the watch within 150 ms', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a', { version: '0' }) });
  const registry = await started(t, { servicesDirs: [folder], watch: true });
  const delays: number[] = [];
  for (let i = 1; i <= 9; i++) {
    const seen = next(registry.changes, versionOf(String(i)));
    const savedAt = performance.now();
    writeFileSync(join(folder, 'a.json'), manifest('a', { version: String(i) }));
    await seen;
    delays.push(performance.now() - savedAt);
  }
  delays.sort((a, b) => a - b);
  t.comment(`ms from save to change: ${delays.map((delay) => delay.toFixed(0)).join(' ')}`);
  t.ok(delays[4]! < 150, `median ${delays[4]!.toFixed(0)} ms`);
});

t.test(
  'what editors do when they save is one change: rename over, rename away and write, unlink and write',
  async (t) => {
    const folder = folderOf(t, { 'a.json': manifest('a', { version: '0' }) });
    const file = join(folder, 'a.json');
    const registry = await started(t, { manifestFiles: [file], watch: true });
    registry.changes.on(({ removed, added }) => t.same([...removed, ...added], []));
    const ways: ((text: string) => void)[] = [
      (text) => {
        writeFileSync(`${file}.tmp`, text);
        renameSync(`${file}.tmp`, file);
      },
      (text) => {
        renameSync(file, `${file}~`);
        writeFileSync(file, text);
        unlinkSync(`${file}~`);
      },
      (text) => {
        unlinkSync(file);
        writeFileSync(file, text);
      },
      (text) => writeFileSync(file, text),
    ];
    for (const [index, save] of [...ways, ...ways].entries()) {
      const seen = next(registry.changes, versionOf(String(index + 1)));
      save(manifest('a', { version: String(index + 1) }));
      await seen;
    }
    t.equal(registry.revision, 9);
  },
);

t.test('several files at once are seen, and services come and go with their files', async (t) => {
  const folder = folderOf(t, { 'x.json': manifest('x') });
  const registry = await started(t, { servicesDirs: [folder], watch: true });
  const seen = new Set<string>();
  const all = next(registry.changes, ({ added }) => {
    for (const id of idsOf(added)) seen.add(id);
    return seen.size === 50;
  });
  for (let i = 0; i < 50; i++) writeFileSync(join(folder, `s${i}.json`), manifest(`s${i}`));
  await all;
  const gone = next(registry.changes, () => registry.services.size === 0);
  for (let i = 0; i < 50; i++) rmSync(join(folder, `s${i}.json`));
  rmSync(join(folder, 'x.json'));
  await gone;
  t.equal(registry.services.size, 0);
});

t.test('a half-written manifest is never acted upon, however it is written', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a', { version: '0', help_md: 'x'.repeat(400) }) });
  const file = join(folder, 'a.json');
  const registry = await started(t, { servicesDirs: [folder], watch: true });
  const seen: string[] = [];
  registry.changes.on(({ updated, removed }) => {
    t.same(removed, []);
    for (const { after } of updated) seen.push(after.version);
  });
  registry.reports.on(({ faults }) => t.same(faults, [], 'a slow writer is no fault'));
  // In place and in pieces: until the last one, the file is the head of the new text and the tail of the
  // old one, which is JSON all the same.
  const half = manifest('a', { version: 'A', help_md: 'x'.repeat(400) });
  const descriptor = openSync(file, 'r+');
  for (const version of ['A', 'B', 'C', 'D']) {
    const text = half.replace('"A"', `"${version}"`);
    writeSync(descriptor, text.slice(0, 60), 0);
    await new Promise((resolve) => setImmediate(resolve));
    writeSync(descriptor, text.slice(60), 60);
  }
  const whole = next(registry.changes, versionOf('E'));
  ftruncateSync(descriptor, 0);
  const last = half.replace('"A"', '"E"');
  for (let at = 0; at < last.length; at += 100) {
    writeSync(descriptor, last.slice(at, at + 100), at);
    await new Promise((resolve) => setImmediate(resolve));
  }
  closeSync(descriptor);
  await whole;
  t.ok(['E', 'D,E'].includes(seen.join()), seen.join());
});

t.test('without a watch the interval finds what has changed', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a') });
  const registry = await started(t, { servicesDirs: [folder], reloadIntervalMs: 30 });
  const keepAlive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(keepAlive));
  const seen = next(registry.changes, ({ added }) => idsOf(added).includes('b'));
  writeFileSync(join(folder, 'b.json'), manifest('b'));
  t.same(idsOf((await seen).added), ['b']);
});

t.test('reloading 1,000 manifests with one change touches one service', async (t) => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 1000; i++)
    files[`s${String(i).padStart(4, '0')}.json`] = manifest(`s${i}`, {
      schema: { input: { type: 'object', properties: { text: { type: 'string' } } } },
      help_md: 'A service among many. '.repeat(20),
    });
  const folder = folderOf(t, files);
  const startedAt = performance.now();
  const registry = await started(t, { servicesDirs: [folder] });
  const startMs = performance.now() - startedAt;
  t.equal(registry.services.size, 1000);
  const before = registry.services;
  const idleAt = performance.now();
  await registry.reload();
  const idleMs = performance.now() - idleAt;
  const change = next(registry.changes);
  writeFileSync(join(folder, 's0500.json'), manifest('s500', { version: '2' }));
  const reloadAt = performance.now();
  await registry.reload();
  const reloadMs = performance.now() - reloadAt;
  const { added, updated, removed } = await change;
  t.same([added.length, updated.map(({ after }) => after.serviceId), removed.length], [0, ['s500'], 0]);
  let touched = 0;
  for (const [id, definition] of registry.services) if (definition !== before.get(id)) touched += 1;
  t.equal(touched, 1);
  t.comment(
    `1,000 manifests: start ${startMs.toFixed(0)} ms, idle look ${idleMs.toFixed(0)} ms, one change ${reloadMs.toFixed(0)} ms`,
  );
});
