import { connect } from 'node:net';
import t from 'tap';
import type { ControlClient } from '../../lib/control/index.js';
import { NodeHomes } from '../../lib/control/server/node-homes.js';
import { MAX_STRANGERS_PER_ADDRESS } from '../../lib/control/server/strangers.js';
import { planeFor } from '../support/plane.js';
import { FACTS } from '../support/store.js';
import { until } from '../support/until.js';

t.test('an address has room for as many connections at once as nodes came from there', async (t) => {
  const under = await planeFor(t);
  const admin = await under.admin();
  const NODES = 40;
  for (let n = 0; n < NODES; n++) {
    const { invite_token } = await admin.request('node_invite_create', {});
    await admin.request('node_join', { invite_token, node_name: `n${n}` });
  }
  const most = MAX_STRANGERS_PER_ADDRESS + 2 * NODES;
  const open = Array.from({ length: most }, () =>
    connect(under.plane.port, '127.0.0.1').on('error', () => undefined),
  );
  t.teardown(() => open.forEach((socket) => socket.destroy()));
  await until(() => open.every(({ connecting }) => !connecting), 'all to be connected');
  // Whoever came before this one was let in or turned out.
  t.ok(await (await under.admin()).request('ping', {}));
  t.ok(open.filter(({ destroyed }) => destroyed).length <= 1, 'none but the oldest makes room for the admin');
});

t.test('a node counts where it came from last, and no more once it is deleted', async (t) => {
  const { store } = (await planeFor(t)).plane;
  const holder = (address: string): Parameters<typeof store.nodes.claim>[1] => ({
    ...{ instance_id: 'i', address, connected_at_ms: 1, software: null },
  });
  for (const [name, address] of [
    ['a', '10.0.0.1'],
    ['b', '::ffff:10.0.0.1'],
    ['c', '2001:db8::1'],
  ] as const) {
    store.nodes.join({ ...FACTS, nodeName: name }, 60_000);
    store.nodes.claim(name, holder(address));
  }
  const homes = new NodeHomes(store.nodes);
  t.same([homes.size, homes.at('10.0.0.1'), homes.at('2001:db8:0:0::/64')], [3, 2, 1]);
  homes.note('a', '10.0.0.2');
  t.same([homes.size, homes.at('10.0.0.1'), homes.at('10.0.0.2')], [3, 1, 1]);
  store.nodes.delete('b');
  t.same([homes.size, homes.at('10.0.0.1')], [2, 0]);
});

t.test('nodes that are lost together turn offline together, and those that come back do not', async (t) => {
  const under = await planeFor(t, { limits: { offlineGraceMs: 30 } });
  const { store } = under.plane;
  const admin = await under.admin();
  const joined: { readonly node_id?: string; readonly node_secret?: string }[] = [];
  for (const name of ['a', 'b', 'c']) {
    const { invite_token } = await admin.request('node_invite_create', {});
    joined.push(await admin.request('node_join', { invite_token, node_name: name }));
  }
  const connect = async (n: number): Promise<ControlClient> => {
    const { node_id, node_secret } = joined[n]!;
    const client = under.client(undefined, { connect: () => ({ node_id, node_secret }) });
    await client.ready();
    return client;
  };
  const clients = await Promise.all(joined.map((_, n) => connect(n)));
  t.ok(store.nodes.list().every(({ online }) => online));
  for (const client of clients) client.close();
  await connect(0);
  await until(() => store.nodes.list().filter(({ online }) => !online).length === 2, 'two to be offline');
  t.equal(store.nodes.get('a')?.online, true);
});
