import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, extract } from 'tar';
import t, { type Test } from 'tap';
import { backUpControl, ControlStore, restoreControl } from '../../lib/control/index.js';
import { acheron } from '../support/acheron.js';
import { inviteThrough, PlaneProcesses, readJson, untilOnline } from '../support/plane-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const NOW = { release: '0.1.0', nowMs: Date.UTC(2026, 0, 2) };
const KEEP = { replace: false, nowMs: NOW.nowMs };

/** A state directory with a project in it, and a backup of that beside it. */
async function backedUp(t: Test): Promise<{ stateDir: string; file: string; dir: string }> {
  const dir = temporaryDir(t);
  const stateDir = join(dir, 'plane');
  const store = new ControlStore({ stateDir });
  store.change(() => store.projects.create('web', {}, false));
  const file = join(dir, 'plane.tgz');
  await backUpControl(stateDir, file, NOW);
  store.close();
  return { stateDir, file, dir };
}

t.test('a backup that is made under writes is whole: what was acknowledged before is in it', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const dir = temporaryDir(t);
  const file = join(dir, 'plane.tgz');
  const token = async (label: string): Promise<string> => {
    const made = await plane.run(['token', 'create', '--label', label, ...plane.as('admin')]);
    t.equal(made.status, 0, made.stderr);
    return made.stdout.trim();
  };
  const before = await token('before');
  let isWriting = true;
  const writes = (async () => {
    while (isWriting) await token('during');
  })();
  const made = await plane.run(['control', 'backup', file, '--state-dir', plane.stateDir]);
  isWriting = false;
  await writes;
  t.equal(made.status, 0, made.stderr);
  t.equal(statSync(file).mode & 0o777, 0o600, 'others cannot read it');
  t.same(readdirSync(dir), ['plane.tgz'], 'nothing else is left');

  const stateDir = join(dir, 'restored');
  const restored = await plane.run(['control', 'restore', file, '--state-dir', stateDir]);
  t.equal(restored.status, 0, restored.stderr);
  t.match(restored.stderr, /as it was at 20\d\d-/);
  const store = new ControlStore({ stateDir });
  t.teardown(() => store.close());
  t.ok(store.tokens.verify(before), 'a token that was acknowledged before is good');
  for (const role of ['admin', 'user'])
    t.ok(store.tokens.verify(readFileSync(join(stateDir, `${role}.token`), 'utf8').trim()), role);
});

t.test('after a restore, nodes and mounts come back by themselves and show what is true', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const mount = await plane.mount();
  const first = shellManifest('first', 'cat');
  const node = plane.node('n1', [first]).start(await inviteThrough(mount));
  await untilOnline(mount, 'n1');
  const file = join(temporaryDir(t), 'plane.tgz');
  const backup = await plane.run(['control', 'backup', file, '--state-dir', plane.stateDir]);
  t.equal(backup.status, 0, backup.stderr);

  const descriptor = (id: string): string => join(mount, 'nodes/n1/services', id, 'SERVICE.json');
  node.write({ ...first, version: '2' });
  node.write(shellManifest('second', 'cat'));
  await until(
    () =>
      readJson(descriptor('second')).then(
        (found) => found['service_id'] === 'second',
        () => false,
      ),
    'second',
  );
  // The node is known to have come anew since: its epoch in the backup is an old one.
  await node.program.end('SIGKILL');
  node.start();
  await untilOnline(mount, 'n1');

  await plane.control.end('SIGKILL');
  const refused = await plane.run(['control', 'restore', file, '--state-dir', plane.stateDir]);
  t.match(refused, { status: 1, stderr: /has a control plane already: control\.db.*--replace/s });
  const restored = await plane.run(['control', 'restore', file, '--replace', '--state-dir', plane.stateDir]);
  t.equal(restored.status, 0, restored.stderr);
  t.match(restored.stderr, /What was there is in .*before-restore-/);
  await plane.startControl();
  await untilOnline(mount, 'n1');
  await until(
    () =>
      readJson(descriptor('second')).then(
        (found) => found['version'] !== undefined,
        () => false,
      ),
    'what the node has now',
  );
  t.equal(
    (await readJson(descriptor('first')))['version'],
    '2',
    'what changed since the backup is not undone',
  );
  node.write({ ...first, version: '3' });
  await until(
    () => readJson(descriptor('first')).then((found) => found['version'] === '3'),
    'a later change is seen, though its revision was used before',
  );
});

t.test('what runs is not restored over', async (t) => {
  const { stateDir, file } = await backedUp(t);
  const store = new ControlStore({ stateDir });
  t.teardown(() => store.close());
  await t.rejects(restoreControl(stateDir, file, { ...KEEP, replace: true }), {
    code: 'EBUSY',
    hint: /acheron stop/,
  });
});

t.test('what is there is moved aside as a whole, and could be used again', async (t) => {
  const { stateDir, file, dir } = await backedUp(t);
  const later = new ControlStore({ stateDir });
  later.change(() => later.projects.create('later', {}, false));
  later.close();
  const { aside, madeAt } = await restoreControl(stateDir, file, { ...KEEP, replace: true });
  t.equal(madeAt, '2026-01-02T00:00:00.000Z');
  const ids = (at: string): string[] => {
    const store = new ControlStore({ stateDir: at });
    const found = store.projects.list().map((project) => project.projectId);
    store.close();
    return found.sort();
  };
  t.same(ids(stateDir), ['web']);
  t.same(ids(aside!), ['later', 'web']);
  t.same(readdirSync(dir).sort(), ['plane', 'plane.tgz'], 'nothing is left beside it');
  t.same(
    readdirSync(stateDir).filter((name) => name.startsWith('.')),
    [],
    'nor in it',
  );
});

t.test('what is no good backup is refused with its fault, and changes nothing', async (t) => {
  const { file, dir } = await backedUp(t);
  const bytes = readFileSync(file);
  const target = join(dir, 'target');
  const variant = (name: string, content: Buffer): string => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
  /** The backup, with other files in it. */
  const repacked = async (name: string, change: (unpacked: string) => void): Promise<string> => {
    const unpacked = join(dir, `${name}.d`);
    mkdirSync(unpacked);
    await extract({ file, cwd: unpacked });
    change(unpacked);
    const path = join(dir, name);
    await create({ file: path, cwd: unpacked, gzip: true }, readdirSync(unpacked));
    return path;
  };
  const facts = (unpacked: string, more: object): void => {
    const path = join(unpacked, 'meta.json');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...more }));
  };
  const flipped = Buffer.from(bytes);
  flipped[flipped.length >> 1]! ^= 0xff;
  const cases: [string, string, RegExp][] = [
    [join(dir, 'absent'), 'ENOENT', /cannot be read/],
    [dir, 'EISDIR', /cannot be read/],
    [variant('empty', Buffer.alloc(0)), 'EIO', /damaged/],
    [variant('text', Buffer.from('Not a backup.\n'.repeat(100))), 'EIO', /damaged/],
    [variant('cut', bytes.subarray(0, bytes.length - 100)), 'EIO', /damaged/],
    [variant('flipped', flipped), 'EIO', /damaged/],
    [await repacked('other-kind', (at) => facts(at, { kind: 'something' })), 'EINVAL', /another kind/],
    [await repacked('newer', (at) => facts(at, { format: 99 })), 'EINVAL', /has format 99/],
    [await repacked('changed', (at) => facts(at, { release: '9.9.9' })), 'EIO', /meta\.json in it is not/],
    [await repacked('foreign', (at) => writeFileSync(join(at, 'x'), 'y')), 'EIO', /holds "x"/],
    [
      await repacked('shortened', (at) => truncateSync(join(at, 'control.db'), 5000)),
      'EIO',
      /control\.db in it/,
    ],
    [
      await repacked('damaged-database', (at) => {
        const database = Buffer.from(readFileSync(join(at, 'control.db'))).fill(0x5a, 8192, 12_288);
        writeFileSync(join(at, 'control.db'), database);
        const sums = join(at, 'SHA256SUMS');
        const digest = createHash('sha256').update(database).digest('hex');
        writeFileSync(
          sums,
          readFileSync(sums, 'utf8').replace(/^.{64} {2}control\.db$/m, `${digest}  control.db`),
        );
      }),
      'EIO',
      /damaged/,
    ],
  ];
  for (const [path, code, message] of cases) {
    await t.rejects(restoreControl(target, path, KEEP), { code, message }, path.slice(dir.length + 1));
    t.same(
      readdirSync(target).filter((name) => name !== 'control.db.lock'),
      [],
      'there is nothing',
    );
  }
});

t.test('a backup of nothing, and one into nowhere, say so', async (t) => {
  const { stateDir, dir } = await backedUp(t);
  const args = (state: string, file: string): string[] => ['control', 'backup', file, '--state-dir', state];
  t.match(await acheron(args(join(dir, 'none'), join(dir, 'x'))), {
    status: 1,
    stderr: /has no control plane.*--state-dir/s,
  });
  t.match(await acheron(args(stateDir, join(dir, 'none/x'))), {
    status: 1,
    stderr: /Nothing can be written/,
  });
  t.same(readdirSync(dir).sort(), ['plane', 'plane.tgz']);
});
