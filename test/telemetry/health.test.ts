import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROGRAM, Up, acheron } from '../support/acheron.js';
import { cleanEnvironment, mountDirFor } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

const MANIFESTS = [shellManifest('purr', 'cat'), shellManifest('fail', 'cat > /dev/null; exit 1')];

t.test('a node says how it is on a port, and to admins in the tree', async (t) => {
  const tokenFile = join(temporaryDir(t), 'token');
  writeFileSync(tokenFile, 'secret-of-prometheus\n', { mode: 0o600 });
  const up = await Up.start(t, {
    manifests: MANIFESTS,
    control: true,
    args: ['--port', '0', '--listen-metrics', '0', '--metrics-token-file', tokenFile],
  });
  await until(() => up.printed.includes('/metrics.'), 'the address');
  const url = /says how it is at (\S+)\/metrics\./.exec(up.printed)![1]!;
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}${path}`, { headers });
  for (const path of ['/livez', '/readyz', '/healthz']) t.match(await get(path), { status: 200 }, path);
  writeFileSync(up.service('purr', 'control/submit.json'), '{"a":1}');
  t.throws(() => writeFileSync(up.service('fail', 'control/invoke.json'), '{}'));
  await until(
    () => /"state": "ok"/.test(readFileSync(up.service('purr', 'status.json'), 'utf8')),
    'the call',
  );

  const common = await get('/metrics');
  t.match(common.headers.get('content-type'), /text\/plain; version=0\.0\.4/);
  const sums = await common.text();
  t.match(sums, /^acheron_node_invocations_total 2$/m);
  t.match(sums, /^acheron_node_failures_total 1$/m);
  t.match(sums, /^acheron_node_services\{state="online"\} 2$/m);
  t.match(sums, /^acheron_node_invocation_duration_seconds_count 2$/m);
  t.match(sums, /^acheron_node_invocation_duration_seconds_bucket\{le="\+Inf"\} 2$/m);
  t.match(sums, /^process_resident_memory_bytes \d+$/m);
  t.notMatch(sums, /purr|"fail"/, 'to nobody in particular, nothing is named');
  const named = await (await get('/metrics', { authorization: 'Bearer secret-of-prometheus' })).text();
  t.match(named, /^acheron_node_failures_total\{service_id="fail"\} 1$/m);
  t.match(named, /^acheron_node_service_up\{service_id="purr"\} 1$/m);
  t.match(await get('/metrics', { authorization: 'Bearer another' }), { status: 401 });
  t.match(await get('/metrics', { authorization: 'Basic x' }), { status: 401 });
  t.match(await get('/else'), { status: 404 });
  t.match(await fetch(`${url}/metrics`, { method: 'POST', body: 'x' }), { status: 405 });
  for (const line of named.trim().split('\n'))
    t.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [-+\d.eInfNa]+)$/, line);

  const shown = readFileSync(join(up.dir, 'control/nodes/local/metrics'), 'utf8');
  t.match(shown, /^acheron_node_failures_total\{service_id="fail"\} 1$/m, 'as the file of the tree');
  const listening = /control plane listens on (ws:\S+)\./;
  await until(() => listening.test(up.printed), 'the control plane');
  const plane = ['--control-url', listening.exec(up.printed)![1]!];
  const admin = ['--token-file', join(up.stateDir, 'admin.token')];
  t.match(await acheron(['cat', '/control/nodes/local/metrics', ...plane, ...admin]), {
    status: 0,
    stdout: /^acheron_node_failures_total\{service_id="fail"\} 1$/m,
  });
  const user = ['--token-file', join(up.stateDir, 'user.token')];
  t.match(await acheron(['cat', '/control/nodes/local/metrics', ...plane, ...user]), {
    status: 1,
    stderr: /ENOENT/,
  });

  const taken = new URL(url).port;
  const second = await acheron(['node', '--state-dir', temporaryDir(t), '--listen-metrics', taken]);
  t.match(second, { status: 1, stderr: /Port \d+ on 127\.0\.0\.1 is taken/ });

  // A mount of the same control plane, while it is there and when it is gone.
  const dir = mountDirFor(t);
  const child = spawn(
    process.execPath,
    [PROGRAM, 'mount', dir, ...plane, ...admin, '--listen-metrics', '0'],
    {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until(() => said.includes('/metrics.'), 'the mount');
  const ofMount = /says how it is at (\S+)\/metrics\./.exec(said)![1]!;
  t.match(await fetch(`${ofMount}/readyz`), { status: 200 });
  t.match(await (await fetch(`${ofMount}/metrics`)).text(), /^acheron_mount_connected 1$/m);
  t.equal(await up.stop(), 0);
  await until(async () => (await fetch(`${ofMount}/readyz`)).status === 503, 'that it is known to be gone');
  t.match(await (await fetch(`${ofMount}/metrics`)).text(), /^acheron_mount_connections_lost_total 1$/m);
  t.match(await fetch(`${ofMount}/livez`), { status: 200 });
});
