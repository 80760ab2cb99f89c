import { readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Up, acheron } from '../support/acheron.js';
import { mountDirFor } from '../support/mount-child.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const CAT = shellManifest('cat', 'cat');

t.setTimeout(300_000);

t.test('it is a control plane too: mounts by token and other nodes join, in one process', async (t) => {
  const up = await Up.start(t, { manifests: [CAT], control: true, args: ['--port', '0'] });
  const plane = async (): Promise<string> => {
    let url: RegExpExecArray | null = null;
    await until(() => (url = /listens on (ws:\S+)\./.exec(up.printed)) !== null, 'the control plane');
    return url![1]!;
  };
  const url = await plane();
  await writeFile(up.service('cat', 'control/invoke.json'), '{"c":3}');
  const records = (await readFile(join(up.dir, 'control/audit.ndjson'), 'utf8')).trim().split('\n');
  t.match(
    records.map((line) => JSON.parse(line) as object),
    [
      { origin: 'local', act: 'invoke', outcome: 'accepted' },
      { origin: 'local', act: 'invoke', outcome: 'ok' },
    ],
    'at once',
  );
  t.match(await readFile(join(up.dir, 'events.ndjson'), 'utf8'), /"invocation_finished".*"service_id":"cat"/);
  t.match(await acheron(['nodes', 'list', '--json', '--state-dir', up.stateDir]), {
    status: 0,
    stdout: /"node_id": "local"[^]*"state": "online"/,
  });
  const token = ['--control-url', url, '--token-file', join(up.stateDir, 'user.token')];
  const called = await acheron(['invoke', 'cat', '{"d":4}', ...token]);
  t.match(called, { status: 0, stdout: '{\n  "d": 4\n}\n' }, called.stderr);
  t.notMatch(await readFile(up.service('cat', 'result.json'), 'utf8'), /"d"/, "another principal's");
  const created = await acheron(['project', 'create', 'p1', '--node', 'local', '--state-dir', up.stateDir]);
  t.equal(created.status, 0, created.stderr);
  t.match(
    await acheron(['ls', '/nodes', ...token]),
    { status: 0, stdout: 'NODES.json\n' },
    'a project has it',
  );
  t.strictSame(await readdir(join(up.dir, 'projects/p1/services')), ['cat@local']);
  t.equal(await up.stop(), 0);
});

t.test('a command that follows at once waits for the control plane that is about to begin', async (t) => {
  const up = await Up.start(t, { manifests: [CAT], control: true, args: ['--port', '0'] });
  const listed = await acheron(['token', 'list', '--json', '--state-dir', up.stateDir]);
  t.match(JSON.parse(listed.stdout || '[]'), [{ role: 'admin' }, { role: 'user' }], listed.stderr);
  t.notOk((await readdir(up.stateDir)).includes('control.begins'), 'the word of it is taken back');
});

t.test('a mount that was killed before its control plane began keeps no command waiting', async (t) => {
  const up = await Up.start(t, { manifests: [CAT], control: true, args: ['--port', '0'] });
  up.child.kill('SIGKILL');
  await up.ended;
  await writeFile(join(up.stateDir, 'control.begins'), `${up.child.pid}\n`);
  await Promise.race([
    acheron(['token', 'list', '--state-dir', up.stateDir]),
    delay(10_000, undefined, { ref: false }).then(() => t.fail('it waits')),
  ]);
});

t.test('a port that was asked for and is taken ends it before it mounts, and says what to do', async (t) => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  t.teardown(() => holder.close());
  const { port } = holder.address() as AddressInfo;
  const dir = mountDirFor(t);
  const state = join(dir, '..', 'state');
  for (const background of [[], ['--background']]) {
    const args = ['up', dir, '--state-dir', state, '--port', String(port), '--no-bundled', ...background];
    const { status, stderr } = await acheron(args);
    t.equal(status, 1);
    t.match(stderr, `Port ${port} on 127.0.0.1 is taken.`);
    t.match(stderr, /another --port/);
  }
  t.strictSame(await readdir(dir).catch(() => []), [], 'nothing is mounted');
});

t.test(
  'a second one beside it takes another port, and one on the same state none; both say so',
  async (t) => {
    const first = await Up.start(t, { manifests: [CAT], control: true });
    await until(() => first.printed.includes('control plane listens'), 'the control plane');
    const second = await Up.start(t, { manifests: [CAT], control: true });
    await until(() => second.printed.includes('control plane listens'), 'the second');
    t.match(second.printed, /Port 18790 is taken: the control plane listens on ws:/);
    const plane = await acheron(['nodes', 'list', '--state-dir', second.stateDir]);
    t.equal(plane.status, 0, plane.stderr);
    const beside = await Up.start(t, {
      manifests: [CAT],
      control: true,
      stateDir: second.stateDir,
      args: ['--state-file', join(second.stateDir, 'other.json')],
    });
    await until(() => beside.said.includes('no control plane beside this mount'), 'the reason');
    t.match(beside.said, /in use by another control plane/);
    t.equal((await readFile(beside.service('cat', 'TEMPLATE.json'), 'utf8')).trim(), '{}');
  },
);
