import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { ListeningNode } from '../support/listening-node.js';
import { shell } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';

const SLOW = { timeout: 180_000 };

t.test('a node that listens is used by commands and mounts, with its own tokens', SLOW, async (t) => {
  const node = await ListeningNode.start(t);
  for (const role of ['admin', 'user'])
    t.equal(statSync(join(node.tokens, `${role}.token`)).mode & 0o777, 0o600, role);
  t.match(await acheron(['ls', '/nodes', ...node.as('user')]), { status: 0, stdout: /lone/ });
  const said = await acheron(['invoke', 'greet', '{"a":1}', ...node.as('user')]);
  t.match(said, { status: 0, stdout: '{\n  "a": 1\n}\n' }, said.stderr);
  const admin = await node.mount(t, 'admin');
  const user = await node.mount(t, 'user');
  const service = 'nodes/lone/services/greet';
  for (const [dir, who] of [
    [admin, 'admin'],
    [user, 'user'],
  ] as const) {
    const ran = await shell(
      `echo '{"who":"${who}"}' > ${dir}/${service}/control/invoke.json && cat ${dir}/${service}/result.json`,
    );
    t.match(ran, { status: 0, stdout: `{\n  "who": "${who}"\n}\n` }, ran.stderr);
  }
  t.ok(existsSync(join(admin, 'nodes/lone/services/private')));
  t.notOk(existsSync(join(user, 'nodes/lone/services/private')), 'permissions hold as on a control plane');
  t.notOk(existsSync(join(user, 'control')));
  t.notOk(existsSync(join(admin, 'control/pairing')), 'no other node can pair with it');
  const audit = await acheron(['audit', '--state-dir', node.tokens, '--json']);
  t.match(audit, { status: 0, stdout: /"greet"/ }, audit.stderr);
});

t.test('a revoked token of a listening node ends its mount at once; others go on', SLOW, async (t) => {
  const node = await ListeningNode.start(t);
  const made = await acheron(['token', 'create', '--state-dir', node.tokens, '--agent', 'robot', '--json']);
  t.equal(made.status, 0, made.stderr);
  const { token, record } = JSON.parse(made.stdout) as { token: string; record: { token_id: string } };
  const file = join(node.dir, 'robot.token');
  writeFileSync(file, token, { mode: 0o600 });
  const robot = await node.mount(t, 'user', file);
  const user = await node.mount(t, 'user');
  const path = 'nodes/lone/services/greet/SERVICE.json';
  t.equal((await shell(`cat ${robot}/${path}`)).status, 0);
  const revoked = await acheron(['token', 'revoke', record.token_id, '--state-dir', node.tokens]);
  t.equal(revoked.status, 0, revoked.stderr);
  t.not((await shell(`cat ${robot}/${path}`)).status, 0, 'the next operation fails');
  t.equal((await shell(`cat ${user}/${path}`)).status, 0);
  const refused = await acheron(['ls', '/', '--control-url', node.url, '--token-file', file]);
  t.match(refused, { status: 1, stderr: /EACCES|token/ });
});

t.test('a node does not listen beyond this machine without TLS, and starts nothing then', SLOW, async (t) => {
  const dir = temporaryDir(t);
  const args = ['node', '--state-dir', join(dir, 'state')];
  const refused = await acheron([...args, '--listen', '0.0.0.0:0']);
  t.match(refused, { status: 1, stderr: /no TLS[^]*--tls-cert/ });
  t.match(await acheron([...args, '--listen', 'nowhere']), { status: 2, stderr: /18791/ });
  const half = await acheron([...args, '--listen', '0', '--tls-cert', join(dir, 'none.pem')]);
  t.match(half, { status: 1, stderr: /--tls-key/ });
});
