import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import { connectWs } from '../../lib/transport/index.js';
import { Load } from '../support/load.js';
import { PlaneProcesses, Program } from '../support/plane-processes.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryDir } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

/** One control plane, and another with a copy of its state: the same tokens, sessions and projects. */
const plane = await PlaneProcesses.start(t);
const backup = join(temporaryDir(t), 'plane.tgz');
const copyDir = join(temporaryDir(t), 'copy');
const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();

const statusOf = (path: string): Promise<number> =>
  fetch(`${plane.url.replace('ws', 'http')}${path}`).then(({ status }) => status);

t.test('a control plane that stops sends its clients to another one, and not one call fails', async (t) => {
  await plane.run(['project', 'create', 'p1', ...plane.as('admin'), '--state-dir', plane.stateDir]);
  t.equal((await plane.run(['control', 'backup', backup, '--state-dir', plane.stateDir])).status, 0);
  t.equal((await plane.run(['control', 'restore', backup, '--state-dir', copyDir])).status, 0);
  const copy = new Program(t, ['control', '--port', '0', '--state-dir', copyDir]);
  const [copyUrl] = await copy.says(/ws:\/\/[\d.]+:\d+/);
  const gate = await TcpProxy.start(() => Number(new URL(copyUrl).port));
  t.teardown(() => gate.close());
  gate.refuse();
  const url = `${plane.url},${gate.url}`;
  const mount = await plane.mount('admin', ['--control-url', url]);
  const client = new ControlClient({ url, token }).start();
  t.teardown(() => client.close());
  await client.ready();
  t.equal(client.url, plane.url);
  // It says that it moves, and never does: the end waits for it.
  const stays = await connectWs(plane.url, { token, maxMessageBytes: 2 ** 20 });
  t.teardown(() => stays.destroy());
  const heard: string[] = [];
  stays.receive((message) => heard.push(String(message)));
  const say = (type: string, payload: object): void =>
    stays.send(JSON.stringify({ channel: 'control', type: `control.${type}`, id: type, payload }));
  say('version', { protocol: 'unified-v2' });
  say('connect', { moves: true, events: true });
  await until(() => heard.some((text) => text.includes('connect_ack')), 'its session');

  const load = new Load();
  for (let i = 0; i < 3; i++) {
    load.repeat(() => readFile(join(mount, 'nodes/NODES.json')));
    load.repeat(() => stat(join(mount, 'projects')));
    load.repeat(() => client.request('project_list', {}));
  }
  await until(() => load.done > 100, 'some load');
  t.equal(await statusOf('/readyz'), 200);
  gate.refuse(false);
  plane.control.child.kill('SIGTERM');
  await until(() => heard.some((text) => text.includes('going_away')), 'the word');
  t.equal(await statusOf('/readyz'), 503, 'no load balancer sends anybody here from the first moment on');
  t.equal(await statusOf('/healthz'), 200, 'though all is well with it');
  await t.rejects(connectWs(plane.url, { token, maxMessageBytes: 1024 }), { code: 'EHOSTDOWN' });
  say('ping', {});
  await until(() => heard.some((text) => text.includes('control.pong')), 'an answer all the same');
  await until(() => client.url === gate.url, 'the client at the other one');
  await until(() => gate.connections >= 2, 'the mount there too');
  stays.destroy();
  await until(() => !plane.control.isRunning, 'its end', 20_000);
  t.equal(plane.control.child.exitCode, 0);
  const before = load.done;
  await until(() => load.done > before + 100, 'the load goes on');
  await load.end();
  t.same(load.failures, [], `of ${load.done} calls none failed`);
  await copy.end('SIGTERM');
});

t.test('clients with one address do not hold a control plane up that stops', async (t) => {
  const single = await PlaneProcesses.start(t);
  await single.mount();
  const client = new ControlClient({
    url: single.url,
    token: readFileSync(single.tokenFile('admin'), 'utf8').trim(),
  }).start();
  t.teardown(() => client.close());
  await client.ready();
  const { ms } = await waited(() => single.control.end('SIGTERM'));
  t.ok(ms < 6_000, `it took ${Math.round(ms)} ms`);
});
