import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connectWs } from '../../lib/transport/index.js';
import { mountDirFor } from '../support/mount-child.js';
import { linesOf, NodeProcess, Program, untilOnline } from '../support/plane-processes.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { waited } from '../support/times.js';
import { until } from '../support/until.js';

t.setTimeout(300_000);

/** Mounts what the addresses show to who has the token. */
async function mountAt(t: Test, urls: string, token: string): Promise<string> {
  const tokenFile = join(temporaryDir(t), 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const dir = mountDirFor(t);
  const program = new Program(t, [
    ...['mount', dir, '--control-url', urls, '--token-file', tokenFile],
    ...['--state-dir', join(dir, '..', 'state')],
  ]);
  await program.says(/Mounted on/);
  return dir;
}

const codeOf = (asking: Promise<unknown>): Promise<unknown> =>
  asking.then(
    () => undefined,
    (thrown: unknown) => (thrown as NodeJS.ErrnoException).code,
  );

t.test('three replicas, and nodes at one of them or at all', { skip: noPostgres }, async (t) => {
  const server = await PostgresServer.primary(t);
  const store = PostgresServer.url(server);
  const a = await ReplicaProcess.start(t, store);
  const b = await ReplicaProcess.start(t, store);
  const c = await ReplicaProcess.start(t, store);
  const token = a.token('admin');
  const admin = a.client(token);
  t.teardown(() => admin.close());
  const invite = async (): Promise<string> =>
    ((await admin.request('node_invite_create', {})) as { invite_token: string }).invite_token;

  const exported = temporaryDir(t);
  const content = randomBytes(3 * 1024 * 1024);
  writeFileSync(join(exported, 'large'), content);
  const calls = join(exported, 'calls');
  writeFileSync(calls, '');
  const services = [shellManifest('echo', `echo x >> ${calls}; cat`), shellManifest('quick', 'cat')];
  const exports = ['--export', `box=${exported}:rw:as=${process.getuid!()}`];
  /** It knows the way to one replica alone. */
  const still = new NodeProcess(t, { url: b.url }, 'still', services);
  still.start(await invite(), exports);
  const all = [a, b, c].map(({ url }) => url).join(',');
  const moving = new NodeProcess(t, { url: all }, 'moving', services);
  moving.start(await invite(), exports);
  const atA = await mountAt(t, a.url, token);
  const atB = await mountAt(t, b.url, token);
  await untilOnline(atA, 'still');
  await untilOnline(atA, 'moving');

  t.test(
    'what a node has is read, written and called at a replica that it is not connected to',
    async (t) => {
      const node = join(atA, 'nodes/still');
      t.match(JSON.parse(await readFile(join(node, 'services/echo/status.json'), 'utf8')), { state: 'idle' });
      const read = await readFile(join(node, 'fs/box/large'));
      const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
      t.equal(digest(read), digest(content), 'three megabytes are the same');
      await writeFile(join(node, 'fs/box/written'), content);
      t.equal(digest(readFileSync(join(exported, 'written'))), digest(content));
      await writeFile(join(node, 'services/echo/control/invoke.json'), '{"_key":"relayed","n":1}\n');
      t.match(
        JSON.parse(await readFile(join(node, 'services/echo/jobs/by-key/relayed/result.json'), 'utf8')),
        { n: 1 },
      );
      t.equal(linesOf(calls).length, 1);
      writeFileSync(join(exported, 'written'), 'changed below');
      await until(
        async () => (await readFile(join(node, 'fs/box/written'), 'utf8')) === 'changed below',
        'a change at the node',
      );
    },
  );

  t.test('each replica counts what it passed on', async (t) => {
    const [atTheAsker, atTheHolder] = await Promise.all([a.metrics(), b.metrics()]);
    t.equal(atTheAsker('acheron_control_relay_open{side="asking"}'), 1);
    t.equal(atTheHolder('acheron_control_relay_open{side="serving"}'), 1);
    const bytes = content.byteLength;
    for (const count of [
      atTheAsker('acheron_control_relay_received_bytes_total'),
      atTheAsker('acheron_control_relay_sent_bytes_total'),
      atTheHolder('acheron_control_relay_received_bytes_total'),
      atTheHolder('acheron_control_relay_sent_bytes_total'),
    ])
      t.ok(count >= bytes && count < 1.1 * bytes + 500_000, `${count} of one file each way`);
  });

  t.test('a session goes on by its name, and a console opens by its code, at any replica', async (t) => {
    const elsewhere = b.client(token);
    t.teardown(() => elsewhere.close());
    const { session } = await admin.request('session_attach', { name: 'work' });
    t.equal((await elsewhere.request('session_attach', { name: 'work' })).session, session);
    const { code } = await admin.request('console_link_create', {});
    const open = (url: string): Promise<Response> =>
      fetch(`${url}/console/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: url },
        body: JSON.stringify({ code }),
      });
    const answers = await Promise.all([open(b.httpUrl), open(c.httpUrl)]);
    t.same(answers.map(({ status }) => status).sort(), [200, 401]);
  });

  t.test('a user has no more rights there than at the replica of the node', async (t) => {
    const { token: user } = (await admin.request('token_create', { role: 'user', agent_id: 'u' })) as {
      token: string;
      record: { token_id: string };
    };
    const [usersA, usersB] = await Promise.all([mountAt(t, a.url, user), mountAt(t, b.url, user)]);
    const node = 'nodes/still/services/quick';
    for (const mount of [usersA, usersB]) {
      t.equal(
        await codeOf(readFile(join(mount, node, 'control/config.json'))),
        await codeOf(readFile(join(usersB, node, 'control/config.json'))),
      );
      t.equal(
        await codeOf(writeFile(join(mount, node, 'control/disable'), '1')),
        await codeOf(writeFile(join(usersB, node, 'control/disable'), '1')),
      );
    }
    const plain = await readFile(join(usersA, node, 'SERVICE.json'), 'utf8');
    t.equal(plain, await readFile(join(usersB, node, 'SERVICE.json'), 'utf8'));
  });

  t.test('a token opens no way between replicas, and so does no other key', async (t) => {
    for (const headers of [undefined, token]) {
      const transport = await connectWs(`${a.url}/v2/relay`, {
        maxMessageBytes: 65_536,
        ...(headers === undefined ? {} : { token: headers }),
      });
      t.teardown(() => transport.destroy());
      transport.receive((message) => {
        const { id } = JSON.parse(String(message)) as { id: string };
        const forged = { id: 'x', to: id, nonce: '0'.repeat(64), mac: '0'.repeat(64) };
        transport.send(JSON.stringify(forged));
      });
      transport.resume();
      await until(() => transport.closed !== undefined, 'the end');
      t.notOk(transport.open);
    }
  });

  t.test(
    'the replica that has the node is killed: an error soon, and then the node is elsewhere',
    async (t) => {
      await untilOnline(atA, 'still');
      const file = join(atA, 'nodes/still/fs/box/large');
      const { ms: tookMs } = await waited(async () => {
        await b.program.end('SIGKILL');
        await until(async () => (await codeOf(readFile(file))) === 'EHOSTDOWN', 'an error');
      });
      t.ok(tookMs < 5_000, `in ${Math.round(tookMs)} ms`);
      const counted = await a.metrics();
      t.ok(
        counted('acheron_control_relay_failures_total{reason="lost"}') +
          counted('acheron_control_relay_failures_total{reason="unreachable"}') >
          0,
        'which is counted',
      );
      await b.start();
      await untilOnline(atA, 'still');
      await until(async () => (await codeOf(readFile(file))) === undefined, 'the file again');
      await untilOnline(atB, 'still');
    },
  );
});
