import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROGRAM, Up, acheron } from '../support/acheron.js';
import { Collector } from '../support/collector.js';
import { cleanEnvironment, mountDirFor } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const TRACED = shellManifest('traced', `cat > /dev/null; printf '{"traceparent":"%s"}' "$TRACEPARENT"`);
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CAUSE = `00-${TRACE}-b7ad6b7169203331-01`;

t.setTimeout(240_000);

/** A program that runs until the test ends, with its own environment. */
async function started(t: Test, args: string[], env: NodeJS.ProcessEnv, ready: RegExp): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...cleanEnvironment(), NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until(() => ready.test(said) || child.exitCode !== null, `${args[0]!} (${said})`);
  t.match(said, ready);
  return said;
}

t.test('a call is one trace: from a mount over a control plane to the driver', async (t) => {
  const collector = await Collector.start(t);
  const dir = temporaryDir(t);
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-key=abc',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_BLRP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '300',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
  };
  const plane = join(dir, 'plane');
  const listens = await started(
    t,
    ['control', '--state-dir', plane, '--port', '0', '--no-console'],
    env,
    /listens on/,
  );
  const url = /ws:\S+[^.\s]/.exec(listens)![0];
  await writeFile(join(dir, 'traced.json'), JSON.stringify(TRACED));
  const invited = await acheron(['invite', 'create', '--state-dir', plane, '--json']);
  const { invite_token: invite } = JSON.parse(invited.stdout) as { invite_token: string };
  const node = ['node', '--node-name', 'n1', '--state-dir', join(dir, 'node'), '--services-dir', dir];
  await started(
    t,
    [...node, '--control-url', url],
    { ...env, OTEL_SERVICE_NAME: 'my-node', ACHERON_INVITE_TOKEN: invite, ACHERON_LOG_LEVEL: 'info' },
    /Node n1 is running/,
  );
  const mnt = mountDirFor(t);
  const admin = join(plane, 'admin.token');
  await started(t, ['mount', mnt, '--control-url', url, '--token-file', admin], env, /Mounted on/);
  const service = join(mnt, 'nodes/n1/services/traced');
  await until(
    () =>
      readFile(join(service, 'status.json')).then(
        () => true,
        () => false,
      ),
    'the service',
  );

  await writeFile(join(service, 'control/invoke.json'), JSON.stringify({ _traceparent: CAUSE, n: 1 }));
  const { traceparent } = JSON.parse(await readFile(join(service, 'result.json'), 'utf8')) as {
    traceparent: string;
  };
  const names = ['mount traced', 'relay traced', 'invoke traced'];
  await until(() => names.every((name) => collector.named(name) !== undefined), 'the spans');
  const [mount, relay, invoke] = names.map((name) => collector.named(name)!);
  t.same([mount!.service, relay!.service, invoke!.service], ['acheron-mount', 'acheron-control', 'my-node']);
  t.same(new Set([mount!.traceId, relay!.traceId, invoke!.traceId]), new Set([TRACE]));
  t.same(
    [mount!.parentSpanId, relay!.parentSpanId, invoke!.parentSpanId],
    ['b7ad6b7169203331', mount!.spanId, relay!.spanId],
  );
  t.equal(traceparent, `00-${TRACE}-${invoke!.spanId}-01`, 'the driver is told');
  t.match(invoke!.attributes, { 'acheron.node': 'n1', 'acheron.service': 'traced', 'acheron.state': 'ok' });
  t.same(JSON.parse(await readFile(join(service, 'jobs/latest/request.json'), 'utf8')), { n: 1 });

  const measured = (name: string): boolean => collector.metrics.some((metric) => metric.name === name);
  await until(() => measured('acheron_node_invocations_total'), 'metrics of the node');
  await until(() => measured('acheron_mount_connected'), 'metrics of the mount');
  await until(() => measured('acheron_control_requests_total'), 'metrics of the control plane');
  await until(() => collector.logs.some((line) => line.service === 'my-node'), 'a line of the log');
  t.ok(collector.headers.every((headers) => headers['x-key'] === 'abc'));
});

t.test('what is no traceparent is passed over, and the environment of a command gives one', async (t) => {
  const up = await Up.start(t, { manifests: [TRACED] });
  const state = ['--state-dir', up.stateDir];
  const call = async (request: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> => {
    const ran = await acheron(['invoke', 'traced', request, ...state], { env });
    t.equal(ran.status, 0, ran.stderr);
    return (JSON.parse(ran.stdout) as { traceparent: unknown }).traceparent;
  };
  t.equal(await call('{}'), '');
  t.equal(await call('{}', { TRACEPARENT: CAUSE }), CAUSE, 'as it was given, where nothing is recorded');
  t.equal(await call(`{"x":1,"_traceparent":"${CAUSE}","_key":"k","y":[2]}`), CAUSE);
  const request = readFileSync(up.service('traced', 'jobs/by-key/k/request.json'), 'utf8');
  t.same(JSON.parse(request), { x: 1, y: [2] });
  for (const odd of ['"00-0"', '7', 'null', `"${CAUSE.replace('00-', 'ff-')}"`])
    t.equal(await call(`{"_traceparent":${odd}}`), '', odd);
  t.equal(await up.stop(), 0);
});

t.test(
  'a collector that is away or silent neither slows nor fails a call, nor keeps a process',
  async (t) => {
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    t.teardown(() => mute.close());
    const { port } = mute.address() as AddressInfo;
    for (const endpoint of ['http://127.0.0.1:1', `http://127.0.0.1:${port}`]) {
      const dir = mountDirFor(t);
      const state = join(temporaryDir(t), 'state');
      const services = temporaryDir(t);
      await writeFile(join(services, 'traced.json'), JSON.stringify(TRACED));
      const args = [
        'up',
        dir,
        '--no-control',
        '--no-bundled',
        '--state-dir',
        state,
        '--services-dir',
        services,
      ];
      const child = spawn(process.execPath, [PROGRAM, ...args], {
        env: { ...cleanEnvironment(), OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_SCHEDULE_DELAY: '10' },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const ended = once(child, 'exit');
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      await until(() => said.includes('Mounted on'), 'the mount');
      const service = join(dir, 'nodes/local/services/traced');
      for (let n = 0; n < 20; n++) await writeFile(join(service, 'control/invoke.json'), `{"n":${n}}`);
      t.match(JSON.parse(await readFile(join(service, 'result.json'), 'utf8')), { traceparent: /^00-/ });
      child.kill('SIGTERM');
      t.same((await ended)[0], 0, 'it ends');
    }
  },
);
