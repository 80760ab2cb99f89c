import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { AutoTls } from '../../lib/cli/auto-tls/auto-tls.js';
import { silentLog } from '../../lib/core/index.js';
import { acheron } from '../support/acheron.js';
import { Program } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';

const DAY_MS = 24 * 60 * 60 * 1000;

t.test('--tls-auto makes an authority that an invite carries, so that a node joins over TLS', async (t) => {
  const dir = temporaryDir(t);
  const state = join(dir, 'plane');
  const start = () => new Program(t, ['control', '--tls-auto', '--port', '0', '--state-dir', state]);
  const plane = start();
  const [, fingerprint = ''] = await plane.says(/Fingerprint of its authority: ([0-9A-F:]{95})/);
  const [, url = ''] = await plane.says(/listens on (wss:\/\/\S+)\./);
  t.equal(new X509Certificate(readFileSync(join(state, 'tls/ca.crt'))).fingerprint256, fingerprint);
  for (const name of ['ca.key', 'server.key'])
    t.equal(statSync(join(state, 'tls', name)).mode & 0o777, 0o600);
  await execa('openssl', [
    'verify',
    '-x509_strict',
    '-CAfile',
    join(state, 'tls/ca.crt'),
    join(state, 'tls/server.crt'),
  ]);

  t.match(
    await acheron(['token', 'list', '--state-dir', state]),
    { status: 0 },
    'commands of this machine trust it',
  );
  const stranger = ['token', 'list', '--control-url', url, '--state-dir', join(dir, 'other')];
  t.match(
    await acheron([...stranger, '--token-file', join(state, 'admin.token')]),
    { status: 1 },
    'others do not',
  );

  const invite = await acheron(['invite', 'create', '--state-dir', state]);
  t.match(invite.stdout, /^\S+\n-----BEGIN CERTIFICATE-----\n/);
  writeFileSync(join(dir, 'invite'), invite.stdout, { mode: 0o600 });
  const node = ['node', '--node-name', 'n', '--control-url', url, '--state-dir', join(dir, 'node')];
  const first = new Program(t, [...node, '--invite-token-file', join(dir, 'invite')]);
  await first.says(/Node n is running/);
  await first.end('SIGTERM');
  const second = new Program(t, node);
  await second.says(/Node n is running/);
  t.match(await acheron(['nodes', 'list', '--state-dir', state]), { status: 0, stdout: /^n\s+.*online/m });

  await plane.end('SIGTERM');
  const again = start();
  t.equal((await again.says(/authority: (\S+)/))[1], fingerprint, 'the authority stays');
});

t.test('a certificate is renewed before it ends, and when a name is new; its authority stays', async (t) => {
  const stateDir = join(temporaryDir(t), 'state');
  let now = Date.now();
  const open = (names: string[] = []) => AutoTls.open({ stateDir, names, log: silentLog, now: () => now });
  const auto = await open();
  const first = auto.tls.cert;
  const { authority } = auto;
  t.notOk(await auto.renew());
  now += 61 * DAY_MS;
  t.ok(await auto.renew());
  t.not(auto.tls.cert, first);
  t.equal((await open()).tls.cert, auto.tls.cert, 'it is kept');
  const named = await open(['plane.example']);
  const cert = new X509Certificate(named.tls.cert);
  t.equal(cert.checkHost('plane.example'), 'plane.example');
  t.ok(cert.verify(new X509Certificate(authority.cert).publicKey));
  t.same(named.authority, authority);
});

t.test('a certificate of ours and one that is given are at odds', async (t) => {
  const ran = await acheron([
    'control',
    '--tls-auto',
    '--tls-cert',
    'x',
    '--tls-key',
    'y',
    '--state-dir',
    temporaryDir(t),
  ]);
  t.match(ran, { status: 1, stderr: /With --tls-auto it makes its certificate by itself/ });
});
