import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { PROGRAM } from '../support/acheron.js';
import { certificateFor } from '../support/certificate.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

/** The name in the certificate that a new connection is shown. */
async function nameShown(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

t.test('SIGHUP has a server read its certificate and its log level again, and go on', async (t) => {
  const dir = temporaryDir(t);
  for (const name of ['first', 'second']) {
    const { cert, key } = await certificateFor(name);
    writeFileSync(join(dir, `${name}.crt`), cert);
    writeFileSync(join(dir, `${name}.key`), key, { mode: 0o600 });
  }
  const use = (name: string): void => {
    for (const kind of ['crt', 'key']) copyFileSync(join(dir, `${name}.${kind}`), join(dir, `plane.${kind}`));
  };
  use('first');
  const state = join(dir, 'state');
  mkdirSync(state, { mode: 0o700 });
  const config = join(dir, 'config.json');
  writeFileSync(config, '{"log-level": "error"}');
  const files = [
    '--tls-cert',
    join(dir, 'plane.crt'),
    '--tls-key',
    join(dir, 'plane.key'),
    '--config',
    config,
  ];
  const args = [PROGRAM, 'control', '--state-dir', state, '--port', '0', ...files];
  // Without a terminal, as servers run.
  const child = spawn(process.execPath, args, {
    env: { ...cleanEnvironment(), NO_COLOR: '1' },
    detached: true,
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  await until(() => printed.includes('Tokens:'), 'the control plane');
  const port = Number(/wss:\/\/127\.0\.0\.1:(\d+)/.exec(printed)![1]);
  t.equal(await nameShown(port), 'first');
  t.equal(said, '', 'nothing is logged so far');

  use('second');
  writeFileSync(config, '{"log-level": "info"}');
  child.kill('SIGHUP');
  await until(async () => (await nameShown(port)) === 'second', 'the second certificate');
  await until(() => said.includes('read again'), 'a line on it: the log level counts');

  writeFileSync(join(dir, 'plane.crt'), 'no certificate');
  writeFileSync(config, '{"log-level": "loud"}');
  child.kill('SIGHUP');
  await until(() => said.includes('certificate and its key cannot be used'), 'a line on the certificate');
  t.match(said, /config\.json:1: the value of .*log-level/);
  t.equal(await nameShown(port), 'second', 'what was read before counts on');

  child.kill('SIGTERM');
  t.same(await ended, [0, null]);
});
