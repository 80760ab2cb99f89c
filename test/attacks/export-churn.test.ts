import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import type { Change, DirNode } from '../../lib/vfs/index.js';
import { errno, exported, op } from '../providers/support/exported.js';
import { until } from '../support/until.js';

/** Renames a file to name after name, without end; says once that it has begun. */
const CHURN = `
const fs = require('node:fs');
process.chdir(process.argv[1]);
fs.writeFileSync('n0', '');
for (let i = 0; ; i++) { fs.renameSync('n' + i, 'n' + (i + 1)); if (i === 100) fs.writeSync(1, 'x'); }
`;
const MANY = 10_000;

t.test('who renames without end is not listened to for long, and soon heard again', async (t) => {
  const [vfs, path] = await exported(t);
  const dir = join(path, 'dir');
  fs.mkdirSync(dir);
  fs.writeFileSync(join(dir, 'n0'), '');
  const heard: Change[] = [];
  vfs.changes.on((change) => heard.push(change));
  const node = (await vfs.root.lookup('dir', op)) as DirNode;
  const watched = (): Promise<unknown> =>
    until(async () => {
      await node.list(op);
      await vfs.root.list(op);
      return vfs.usage.watches === 2;
    });
  await watched();
  for (let i = 0; i < MANY; i++) fs.renameSync(join(dir, `n${i}`), join(dir, `n${i + 1}`));
  await until(() => vfs.usage.watches < 2, 'the directory is let go of');
  await until(() => heard.some(({ what }) => what === 'entry'));
  t.ok(heard.length < MANY / 2, `${heard.length} changes were reported`);
  t.ok(
    heard.some((change) => change.what === 'data' && change.ino === node.ino),
    'and that more of it is not as it was',
  );
  await watched();
  heard.length = 0;
  fs.writeFileSync(join(dir, 'new'), '');
  await until(() => heard.some((change) => change.what === 'entry' && change.name === 'new'));
});

t.test('the node goes on with other work while somebody renames', async (t) => {
  const [vfs, path] = await exported(t);
  vfs.changes.on(() => undefined);
  fs.mkdirSync(join(path, 'dir'));
  const node = (await vfs.root.lookup('dir', op)) as DirNode;
  const child = spawn(process.execPath, ['-e', CHURN, join(path, 'dir')], { env: {} });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  for (let turns = 0; turns < 300; turns++) {
    const result = await errno(() => node.list(op));
    if (result !== 'none') t.fail(result);
    await setImmediate();
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
});

t.test('nobody waits for a listing that is given up', async (t) => {
  const [vfs, path] = await exported(t);
  for (let i = 0; i < MANY; i++) fs.writeFileSync(join(path, `a-name-that-is-rather-long-${i}`), '');
  const controller = new AbortController();
  const listing = vfs.root.list({ ...op, signal: controller.signal });
  t.ok(listing instanceof Promise, 'it is read by and by');
  controller.abort(new FsError('ECANCELED', 'The caller gave up.'));
  t.equal(await errno(() => listing), 'ECANCELED');
  t.equal((await vfs.root.list(op)).length, MANY);
});
