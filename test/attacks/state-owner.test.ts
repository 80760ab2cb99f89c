import { chmodSync, chownSync, mkdirSync, symlinkSync, lchownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ControlStore } from '../../lib/control/index.js';
import { makePrivateDir } from '../../lib/disk/index.js';
import { acheron } from '../support/acheron.js';
import { TestNode, temporaryDir } from '../support/test-node.js';
import { STRANGER_UID, needsRoot } from './fixtures/local-account.js';

const others = { code: 'EACCES', message: /^The state is not safe from other users: / };

t.test('a state directory is made private, and taken where it is', async (t) => {
  const top = temporaryDir(t);
  makePrivateDir(join(top, 'a', 'state'));
  mkdirSync(join(top, 'b'), { mode: 0o755 });
  symlinkSync('b', join(top, 'link'));
  makePrivateDir(join(top, 'link'));
});

t.test('state that others may write to is refused, with what to do', async (t) => {
  const top = temporaryDir(t);
  const dir = join(top, 'state');
  makePrivateDir(dir);
  const store = new ControlStore({ stateDir: dir });
  store.close();
  for (const [path, mode] of [
    [dir, 0o777],
    [dir, 0o770],
    [dir, 0o1777],
    [top, 0o777],
    [join(dir, 'admin.token'), 0o666],
    [join(dir, 'control.db'), 0o660],
  ] as const) {
    chmodSync(path, mode);
    t.throws(() => new ControlStore({ stateDir: dir }), { ...others, hint: `chmod go-w ${path}` });
    chmodSync(path, path.includes('.') && path !== top ? 0o600 : 0o700);
  }
  chmodSync(join(dir, 'admin.token'), 0o666);
  const ran = await acheron(['token', 'list', '--state-dir', dir, '--control-url', 'ws://127.0.0.1:9']);
  t.match(ran, { status: 1, stderr: /not safe from other users/ });
});

t.test('state of another account, or that another can exchange, is refused', needsRoot, async (t) => {
  const top = temporaryDir(t);
  chmodSync(top, 0o755);
  const dir = join(top, 'state');
  mkdirSync(dir);
  writeFileSync(join(dir, 'control.url'), 'ws://127.0.0.1:9\n', { mode: 0o600 });
  symlinkSync(dir, join(top, 'link'));
  lchownSync(join(top, 'link'), STRANGER_UID, STRANGER_UID);
  t.throws(() => makePrivateDir(join(top, 'link')), { ...others, path: join(top, 'link') });
  for (const path of [join(dir, 'control.url'), dir, top]) {
    chownSync(path, STRANGER_UID, STRANGER_UID);
    t.throws(() => makePrivateDir(dir), { ...others, hint: new RegExp(`chown 0 ${path}`) }, path);
    chownSync(path, 0, 0);
  }
  makePrivateDir(dir);
});

t.test('a node does not start on state that others may write to', async (t) => {
  const node = await TestNode.start(t, []);
  const state = join(node.dir, 'state');
  writeFileSync(join(state, 'somebody-elses'), '', { mode: 0o666 });
  await node.restart();
  await node.node.close();
  chmodSync(join(state, 'node.json.runtime-services.json'), 0o666);
  await t.rejects(node.restart(), others);
  chmodSync(join(state, 'node.json.runtime-services.json'), 0o600);
  await node.restart();
});
