import { closeSync, openSync, readFileSync, readdirSync, statSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { daemonName } from '../../lib/cli/daemon-name.js';
import { rotateLog } from '../../lib/cli/log-rotation.js';
import { acheron } from '../support/acheron.js';
import { mountDirFor } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';

t.test(
  'a log that has grown is set aside, and a process that has it open goes on at its beginning',
  async (t) => {
    const path = join(temporaryDir(t), 'x.log');
    const file = openSync(path, 'a+');
    t.teardown(() => closeSync(file));
    writeSync(file, 'first\n');
    rotateLog(file, path, 100);
    t.equal(readFileSync(path, 'utf8'), 'first\n', 'a small one stays');
    writeSync(file, 'x'.repeat(100));
    rotateLog(file, path, 100);
    writeSync(file, 'second\n');
    t.equal(readFileSync(path, 'utf8'), 'second\n');
    t.equal(statSync(`${path}.1`).size, 106);
  },
);

t.test('what serves different directories logs to different files', async (t) => {
  t.equal(daemonName('up'), 'up');
  t.match(daemonName('mount', '/srv/plane'), /^mount-srv-plane-[0-9a-f]{6}$/);
  t.not(daemonName('mount', '/a/b'), daemonName('mount', '/a-b'));
});

t.test('each daemon of a state directory has a log of its own, which a later start appends to', async (t) => {
  const stateDir = join(temporaryDir(t), 'state');
  const dir = mountDirFor(t);
  const up = ['up', dir, '--state-dir', stateDir, '--no-bundled', '--background', '--log-level', 'debug'];
  const logs = join(stateDir, 'logs');
  let length = 0;
  for (let start = 0; start < 2; start++) {
    t.match(await acheron([...up, '--no-control']), { status: 0, stdout: /Mounted on/ });
    const text = await readFile(join(logs, 'up.log'), 'utf8');
    t.ok(text.length > length, 'it grows');
    length = text.length;
    t.match(await acheron(['unmount', dir]), { status: 0 });
  }
  t.same(readdirSync(logs), ['up.log']);
  t.equal(statSync(join(logs, 'up.log')).mode & 0o777, 0o600);
});
