import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { connect, startNode, type Client } from '../../lib/index.js';
import { Up } from '../support/acheron.js';
import { CLIENT_MANIFESTS, clientSuite, type ClientUnderTest } from '../suites/client-suite.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { temporaryDir } from '../support/test-node.js';

/** Where drivers of `dir` are started, and what they leave there. */
function under(client: Client, dir: string): ClientUnderTest {
  const started = join(dir, 'started');
  return {
    client,
    exportDir: '/nodes/local/fs/drop',
    goOn: () => writeFileSync(join(dir, 'go-on'), ''),
    hasStarted: () => {
      const is = existsSync(started);
      rmSync(started, { force: true });
      return is;
    },
  };
}

function suite(t: Test, dir: string, connected: () => Promise<Client>): void {
  clientSuite(t, async () => {
    rmSync(join(dir, 'go-on'), { force: true });
    rmSync(join(dir, 'started'), { force: true });
    const client = await connected();
    return under(client, dir);
  });
}

t.test('a client of a node of this process', async (t) => {
  const dir = temporaryDir(t);
  const servicesDir = join(dir, 'services');
  const drop = join(dir, 'drop');
  mkdirSync(servicesDir);
  mkdirSync(drop);
  // An export acts as somebody without rights of his own, where the node is root's.
  chmodSync(drop, 0o777);
  for (const manifest of CLIENT_MANIFESTS)
    writeFileSync(join(servicesDir, `${manifest['service_id'] as string}.json`), JSON.stringify(manifest));
  const node = await startNode({
    stateDir: join(dir, 'state'),
    servicesDirs: [servicesDir],
    exports: [{ name: 'drop', path: drop, readOnly: false }],
  });
  t.teardown(() => node.close());
  suite(t, servicesDir, async () => Promise.resolve(node.client));
});

t.test('a client of another process', async (t) => {
  const drop = temporaryDir(t);
  chmodSync(drop, 0o777);
  const up = await Up.start(t, {
    manifests: CLIENT_MANIFESTS,
    control: true,
    args: ['--port', '0', '--export', `drop=${drop}:rw`],
  });
  const listening = /listens on (ws:\S+)\./;
  await until(() => listening.test(up.printed), 'the control plane');
  const url = listening.exec(up.printed)![1]!;
  const token = readFileSync(join(up.stateDir, 'admin.token'), 'utf8').trim();

  for (const [name, address] of [
    ['by the socket of its state directory', { stateDir: up.stateDir }],
    ['through a control plane', { url, token }],
    ['by a mount', { mount: up.dir }],
  ] as const)
    await t.test(name, async (t) => {
      const client = await connect(address);
      t.teardown(() => client.close());
      suite(t, up.manifests, async () => Promise.resolve(client));
    });

  await t.test('what is no address is refused in a sentence', async (t) => {
    await t.rejects(connect({ url, token: 'x'.repeat(43) }), { name: 'FsError', code: 'EACCES' });
    await t.rejects(connect({ stateDir: drop }), { code: 'EHOSTDOWN', message: /No node is running/ });
    await t.rejects(connect({ mount: drop }), { code: 'EINVAL', message: /mounted/ });
    await t.rejects(connect({ mount: join(drop, 'none') }), { code: 'ENOENT' });
  });

  await t.test('of several addresses, one that dies is left for another', async (t) => {
    const port = Number(new URL(url).port);
    const proxies = [await TcpProxy.start(() => port), await TcpProxy.start(() => port)] as const;
    for (const proxy of proxies) t.teardown(() => proxy.close());
    const client = await connect({ url: proxies.map((proxy) => proxy.url), token });
    t.teardown(() => client.close());
    const heard = (async () => {
      for await (const event of client.events())
        if (event['type'] === 'invocation_finished') return event['service_id'];
      return null;
    })();
    for (let round = 0; round < 2; round++) {
      const dies = proxies.find((proxy) => proxy.connections > 0)!;
      const running = client.list('/nodes/local/services');
      dies.refuse();
      t.ok((await running).includes('echo'), 'what reads is asked once more, at the other');
      t.match(JSON.parse(await client.read('/session.json')), { role: 'admin' });
      t.equal(dies.connections, 0);
      dies.refuse(false);
    }
    t.same(await client.invoke('echo', { text: 'still' }), { text: 'still' });
    t.equal(await heard, 'echo', 'and what listens goes on');
  });

  await t.test('a node of this machine that is busy for seconds is waited for', async (t) => {
    const client = await connect({ stateDir: up.stateDir });
    t.teardown(() => client.close());
    const pid = up.child.pid!;
    process.kill(pid, 'SIGSTOP');
    const reading = client.read('/nodes/local/services/echo/RUNTIME.json');
    try {
      t.equal(await Promise.race([reading.then(() => 'answered'), delay(3_500, 'waits')]), 'waits');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    t.match(JSON.parse(await reading), { type: String });
  });

  await t.test('a client is closed at the end of its block', async (t) => {
    const client = await connect({ stateDir: up.stateDir });
    t.same(await client.invoke('echo', { text: 'x' }), { text: 'x' });
    // What `await using client = …` does in languages and releases that have it.
    await client[Symbol.asyncDispose]();
    await t.rejects(client.list('/nodes'), { code: 'EBADF' });
  });
});
