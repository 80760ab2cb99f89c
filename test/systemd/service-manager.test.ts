import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { socketAddress } from '../../lib/systemd/index.js';
import { PROGRAM, acheron } from '../support/acheron.js';
import { cleanEnvironment, mountDirFor } from '../support/mount-child.js';
import { NotifySocket } from '../support/notify-socket.js';
import { PlaneProcesses, untilOnline, shell } from '../support/plane-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

/** `acheron …`, started as a service manager starts it; ended with the test. */
function service(t: Test, args: readonly string[], env: NodeJS.ProcessEnv, by: readonly string[] = []) {
  const [command, ...rest] = [...by, process.execPath, PROGRAM, ...args];
  const child = spawn(command!, rest, {
    env: { ...cleanEnvironment(), NO_COLOR: '1', ...env },
    // Without a terminal, so that SIGHUP means reload.
    detached: true,
  });
  const run = { child, said: '', ended: once(child, 'exit') };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (run.said += text));
  t.teardown(async () => {
    child.kill('SIGTERM');
    await run.ended;
  });
  return run;
}

/** Waits until it has said this. @throws Error when it ends before */
async function said(run: ReturnType<typeof service>, text: string): Promise<void> {
  await until(
    () => {
      if (run.child.exitCode !== null) throw new Error(`It ended:\n${run.said}`);
      return run.said.includes(text);
    },
    text,
    60_000,
  );
}

t.test('a control plane says when it is ready, reloads and stops, and that its loop lives', async (t) => {
  const dir = temporaryDir(t);
  const manager = await NotifySocket.open(t, join(dir, 'notify'));
  const run = service(t, ['control', '--port', '0', '--state-dir', join(dir, 'state')], {
    NOTIFY_SOCKET: manager.address,
    WATCHDOG_USEC: '100000',
  });
  let next = await manager.says(/READY=1\\nSTATUS=The control plane listens on ws:\/\/127/);
  t.equal(next, 1, 'nothing is said before');
  t.match(await acheron(['token', 'list', '--state-dir', join(dir, 'state')]), {
    status: 0,
  });
  next = await manager.says(/^'WATCHDOG=1'$/, next);
  next = await manager.says(/^'WATCHDOG=1'$/, next);
  run.child.kill('SIGHUP');
  next = await manager.says(/RELOADING=1\\nMONOTONIC_USEC=\d+'/, next);
  next = await manager.says(/READY=1/, next);
  run.child.kill('SIGTERM');
  await manager.says(/STOPPING=1/, next);
  t.same(await run.ended, [0, null]);
});

t.test('a watchdog of another process, and a socket that nobody reads, change nothing', async (t) => {
  const dir = temporaryDir(t);
  const run = service(t, ['control', '--port', '0', '--state-dir', join(dir, 'state')], {
    NOTIFY_SOCKET: join(dir, 'nobody'),
    WATCHDOG_USEC: '100000',
    WATCHDOG_PID: '1',
  });
  await said(run, 'Tokens:');
});

t.test('addresses are paths or abstract names; others are left alone', async (t) => {
  t.equal(socketAddress('/run/n')!.toString('latin1'), '\x01\0/run/n\0');
  t.equal(socketAddress('@n')!.toString('latin1'), '\x01\0\0n');
  t.equal(socketAddress('vsock:2:1'), null);
  t.equal(socketAddress(`/${'n'.repeat(200)}`), null);
});

t.test('a node is ready when it is mounted; its drivers know nothing of the service manager', async (t) => {
  const dir = temporaryDir(t);
  const at = mountDirFor(t);
  const manager = await NotifySocket.open(t, `@${join(dir, 'abstract')}`);
  const services = join(dir, 'services');
  mkdirSync(services);
  const manifest = shellManifest('env', 'env; printf \'{"ok":true}\'', { runtime: { stdout: 'text' } });
  writeFileSync(join(services, 'env.json'), JSON.stringify(manifest), { mode: 0o600 });
  const args = ['node', '--node-name', 'n', '--state-dir', join(dir, 'state'), '--services-dir', services];
  service(t, [...args, '--mount', at], { NOTIFY_SOCKET: manager.address });
  await manager.says(/READY=1\\nSTATUS=Node n is mounted on/);
  const listed = await shell(`ls ${at}/nodes/n/services`);
  t.match(listed.stdout, /env/, 'it serves by then');
  const ran = await shell(
    `echo '{}' > ${at}/nodes/n/services/env/control/invoke.json; cat ${at}/nodes/n/services/env/result.json ${at}/nodes/n/services/env/last_error.txt`,
  );
  t.notMatch(ran.stdout, /NOTIFY_SOCKET/);
});

t.test('a node that asks to be paired shows its code until it is approved, and then is ready', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const dir = temporaryDir(t);
  const manager = await NotifySocket.open(t, join(dir, 'notify'));
  const args = ['node', '--node-name', 'n', '--state-dir', join(dir, 'state'), '--control-url', plane.url];
  service(t, args, { NOTIFY_SOCKET: manager.address });
  const next = await manager.says(/STATUS=Waiting for an admin to approve/);
  const code = /verification code is ([\w-]+)/.exec(manager.messages.join('\n'))![1]!;
  t.match(await plane.run(['pair', 'approve', code, ...plane.as('admin')]), { status: 0 });
  await manager.says(/READY=1\\nSTATUS=Node n is running/, next);
});

t.test('a mount takes another token at SIGHUP while a call runs, and the call ends well', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const dir = temporaryDir(t);
  const gate = join(dir, 'gate');
  await execa('mkfifo', [gate]);
  const node = plane.node('n', [
    shellManifest('slow', `: > ${dir}/begun; cat ${gate} > /dev/null; printf '{"ok":true}'`),
  ]);
  const invite = await plane.run(['invite', 'create', ...plane.as('admin')]);
  node.start(invite.stdout.trim());
  const token = join(dir, 'token');
  copyFileSync(plane.tokenFile('admin'), token);
  const manager = await NotifySocket.open(t, join(dir, 'notify'));
  const at = mountDirFor(t);
  const where = ['--control-url', plane.url, '--state-dir', join(dir, 'state'), '--log-level', 'info'];
  const run = service(t, ['mount', at, ...where], {
    NOTIFY_SOCKET: manager.address,
    // As LoadCredential=token-file:… has it.
    CREDENTIALS_DIRECTORY: credentialsWith(dir, token),
  });
  await manager.says(/READY=1\\nSTATUS=Mounted on/);
  const services = `${at}/nodes/n/services/slow`;
  await until(async () => (await shell(`ls ${services}`)).status === 0, 'the service');
  const call = shell(`echo '{}' > ${services}/control/invoke.json && cat ${services}/result.json`);
  await until(() => existsSync(join(dir, 'begun')), 'the call');

  const made = await plane.run(['token', 'create', '--role', 'admin', ...plane.as('admin')]);
  writeFileSync(join(dir, 'credentials', 'token-file'), made.stdout);
  run.child.kill('SIGHUP');
  let next = await manager.says(/RELOADING=1/);
  next = await manager.says(/READY=1/, next);
  await said(run, 'Another token counts');
  await shell(`echo > ${gate}`);
  t.match(await call, { status: 0, stdout: /"ok"/ });

  writeFileSync(join(dir, 'credentials', 'token-file'), 'no-such-token\n');
  run.child.kill('SIGHUP');
  await manager.says(/READY=1/, await manager.says(/RELOADING=1/, next));
  await said(run, 'what was read before counts on');
  t.match(await shell(`ls ${services}`), { status: 0 });
});

t.test(
  'a node takes another token at SIGHUP while a call runs; the one before may be revoked then',
  async (t) => {
    const plane = await PlaneProcesses.start(t);
    const mount = await plane.mount();
    const dir = temporaryDir(t);
    const gate = join(dir, 'gate');
    await execa('mkfifo', [gate]);
    const token = join(dir, 'token');
    const newToken = async (): Promise<string> => {
      const made = await plane.run(['token', 'create', ...plane.as('admin'), '--json']);
      const { token: text, record } = JSON.parse(made.stdout) as {
        token: string;
        record: { token_id: string };
      };
      writeFileSync(token, text, { mode: 0o600 });
      return record.token_id;
    };
    const first = await newToken();
    const script = `: > ${dir}/begun; cat ${gate} > /dev/null; printf '{"ok":true}'`;
    const node = plane.node('n', [shellManifest('slow', script)]);
    const invite = await plane.run(['invite', 'create', ...plane.as('admin')]);
    node.start(invite.stdout.trim(), ['--token-file', token, '--log-level', 'info']);
    await untilOnline(mount, 'n');
    const services = `${mount}/nodes/n/services/slow`;
    const call = shell(`echo '{}' > ${services}/control/invoke.json && cat ${services}/result.json`);
    await until(() => existsSync(join(dir, 'begun')), 'the call', 60_000);

    await newToken();
    node.program.child.kill('SIGHUP');
    await node.program.says(/settings were read again/);
    const revoked = await plane.run(['token', 'revoke', first, ...plane.as('admin')]);
    t.equal(revoked.status, 0, revoked.stderr);
    await shell(`echo > ${gate}`);
    t.match(await call, { status: 0, stdout: /"ok"/ }, 'the call ends well');
    t.ok(node.program.isRunning, node.program.said);

    await plane.control.end('SIGTERM');
    await plane.startControl();
    await untilOnline(mount, 'n');
    t.match(await shell(`ls ${services}`), { status: 0 }, 'it came back by the token of now');
  },
);

function credentialsWith(dir: string, token: string): string {
  const credentials = join(dir, 'credentials');
  mkdirSync(credentials);
  copyFileSync(token, join(credentials, 'token-file'));
  return credentials;
}

/** Listens as a service manager does, and hands the sockets over. */
const ACTIVATE = `
import os, socket, sys
ports = sys.argv[1].split(',')
made = []
for n, port in enumerate(ports):
    s = socket.socket()
    s.bind((port, 0)); s.listen(64)
    made.append(s)
print(made[0].getsockname()[1], flush=True)
for n, s in enumerate(made):
    os.dup2(s.fileno(), 3 + n, inheritable=True)
    os.set_inheritable(3 + n, True)
os.environ.update(LISTEN_FDS=str(len(ports)), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
`;
const activated = (hosts: string): string[] => ['python3', '-c', ACTIVATE, hosts];

t.test('a control plane takes the socket that was opened for it', async (t) => {
  const state = join(temporaryDir(t), 'state');
  const run = service(t, ['control', '--state-dir', state], {}, activated('127.0.0.1'));
  await said(run, 'Tokens:');
  const [port = ''] = run.said.split('\n');
  t.match(run.said, `The control plane listens on ws://127.0.0.1:${port}.`);
  t.match(await acheron(['token', 'list', '--state-dir', state]), { status: 0 });
});

t.test('a socket that others reach needs TLS too, and there can be one alone', async (t) => {
  for (const [hosts, sentence] of [
    ['0.0.0.0', /0\.0\.0\.0 can be reached from other machines, and there is no TLS/],
    ['127.0.0.1,127.0.0.1', /handed over 2 sockets; it can be one/],
  ] as const) {
    const state = join(temporaryDir(t), 'state');
    const run = service(t, ['control', '--state-dir', state], {}, activated(hosts));
    t.same(await run.ended, [1, null]);
    t.match(run.said, sentence);
  }
});
