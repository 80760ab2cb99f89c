import t from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import type { ControlRequest } from '../../lib/protocol/index.js';
import { acheron } from '../support/acheron.js';
import { NodeProcess } from '../support/plane-processes.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

t.test('control planes over PostgreSQL', { skip: noPostgres }, async (t) => {
  const server = await PostgresServer.primary(t);
  const url = PostgresServer.url(server);
  const one = await ReplicaProcess.start(t, url);
  const other = await ReplicaProcess.start(t, url);
  const clients = [one, other].map((replica) => replica.client(one.token('admin')));
  t.teardown(() => clients.forEach((client) => client.close()));
  const [first, second] = clients as [(typeof clients)[0], (typeof clients)[0]];
  await Promise.all(clients.map((client) => client.ready()));

  t.test('the first one makes the tokens, and the others say where they are', async (t) => {
    t.ok(existsSync(join(one.stateDir, 'admin.token')));
    t.notOk(existsSync(join(other.stateDir, 'admin.token')));
    t.match(other.program.said, /came first/);
  });

  t.test('a change at one is at the other, and rights are when it is acknowledged', async (t) => {
    await first.request('project_create', { project_id: 'p', with_token: false });
    t.match(await second.request('project_get', { project_id: 'p' }), { project: { project_id: 'p' } });
    const { token, record } = (await first.request('token_create', {
      role: 'user',
      agent_id: 'a',
    })) as unknown as {
      token: string;
      record: { token_id: string };
    };
    const user = other.client(token);
    t.teardown(() => user.close());
    t.equal((await user.ready()).agent_id, 'a');
    await first.request('token_revoke', { token_id: record.token_id });
    await t.rejects(user.request('node_list', {}), { code: 'EACCES' });
  });

  t.test('who was given a token, or has joined, by one is let in at the other at once', async (t) => {
    for (let n = 0; n < 10; n++) {
      const { token } = (await first.request('token_create', { role: 'user' })) as unknown as {
        token: string;
      };
      const user = new ControlClient({ url: other.url, token, isFinal: () => true }).start();
      await user.ready();
      user.close();
      const { invite_token: invite } = await first.request('node_invite_create', {});
      const { node_id, node_secret } = await second.request('node_join', {
        invite_token: invite,
        node_name: `joined-${n}`,
        labels: {},
      });
      const connect = (): ControlRequest<'connect'> => ({ node_id: node_id!, node_secret: node_secret! });
      const node = new ControlClient({ url: one.url, connect, isFinal: () => true }).start();
      t.equal((await node.ready()).node?.node_id, node_id);
      node.close();
    }
  });

  t.test('a node at one is seen at the other', async (t) => {
    const { invite_token: invite } = (await second.request('node_invite_create', {})) as {
      invite_token: string;
    };
    const node = new NodeProcess(t, { url: one.url }, 'n1', []).start(invite);
    await until(
      async () => {
        const { nodes } = await second.request('node_list', {});
        return nodes.some(({ node_id, state }) => node_id === 'n1' && state === 'online');
      },
      `the node: ${node.program.said}`,
      30_000,
    );
  });

  t.test('what is wrong with the store is said without its password', async (t) => {
    const dir = temporaryDir(t);
    const file = join(dir, 'password');
    writeFileSync(file, 'sesame\n', { mode: 0o600 });
    chmodSync(file, 0o600);
    const inUrl = await acheron([
      'control',
      '--store',
      'postgres://me:sesame@db/x',
      '--state-dir',
      join(dir, 's'),
    ]);
    t.not(inUrl.status, 0);
    t.match(inUrl.stderr, /--store-password-file/);
    t.notMatch(inUrl.stderr + inUrl.stdout, /sesame/);
    const nobody = await acheron([
      ...['control', '--store', 'postgres://me@127.0.0.1:1/x', '--store-password-file', file],
      ...['--state-dir', join(dir, 's'), '--port', '0'],
    ]);
    t.not(nobody.status, 0);
    t.match(nobody.stderr, /cannot be reached/);
    t.notMatch(nobody.stderr + nobody.stdout, /sesame/);
  });
});
