import { connect } from 'node:net';
import t from 'tap';
import { MAX_STRANGERS_PER_ADDRESS } from '../../lib/control/server/strangers.js';
import { planeFor } from '../support/plane.js';
import { descriptor, FACTS } from '../support/store.js';
import { until } from '../support/until.js';
import { flood, slowestOf } from './fixtures/flood.js';
import { Stranger } from './fixtures/stranger.js';

const WRONG = { invite_token: 'acheron_invite_000000000000_x', node_name: 'n' };

t.test('refused joins cost next to nothing, however much the plane holds', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  store.change(() => {
    for (let n = 0; n < 400; n++) {
      const { nodeId } = store.nodes.join({ ...FACTS, nodeName: `n${n}` }, 60_000);
      store.nodes.upsert(
        nodeId,
        Array.from({ length: 10 }, (_, k) => descriptor(`s${k}`)),
      );
    }
  });
  const bystander = await under.user();
  const attack = await flood(t, {
    url: under.url,
    connections: 40,
    requests: [['node_join', { ...WRONG, platform: { filler: 'x'.repeat(1000) } }]],
  });
  const startedMs = performance.now();
  const slowestMs = await slowestOf(200, () => bystander.request('ping', {}));
  t.ok(slowestMs < 2_000, `${Math.round(slowestMs)} ms at most, but for two`);
  await until(() => attack.answers() > 0, 'an answer to the flood');
  const seconds = (performance.now() - startedMs) / 1000;
  t.ok(attack.answers() < 40 * (40 + 20 * seconds), 'a flood is read no faster than pairing needs');
  attack.stop();
  t.equal(store.nodes.list().length, 400);
});

t.test('a refused change leaves everything as it was, in memory too', async (t) => {
  const under = await planeFor(t);
  const { store } = under.plane;
  store.nodes.join(FACTS, 60_000);
  store.nodes.upsert('n1', [descriptor('a')]);
  const user = await under.user();
  const { nodes } = await user.request('node_list', {});
  const { head } = store.events;
  const { id, head: seq } = store.userEvents.of({
    id: 'x',
    role: 'user',
    agentId: null,
    project: null,
    revoked: false,
  });
  t.throws(
    () =>
      store.change(() => {
        store.nodes.upsert('n1', [descriptor('a'), descriptor('b')]);
        store.nodes.join({ ...FACTS, nodeName: 'n2' }, 60_000);
        store.projects.create('p', { nodes: ['n1'] }, false);
        store.userEvents.of({ id: 'y', role: 'user', agentId: 'new', project: null, revoked: false });
        store.nodes.delete('n1');
        throw new Error('refused');
      }),
    /refused/,
  );
  t.same(
    store.nodes.list().map(({ nodeId, services }) => [nodeId, ...services.keys()]),
    [['n1', 'a']],
  );
  t.same(store.projects.list(), []);
  t.same(store.projects.naming('n1'), []);
  t.equal(store.events.head, head);
  t.same((await user.request('node_list', {})).nodes, nodes);
  store.nodes.upsert('n1', [descriptor('a'), descriptor('c')]);
  t.equal(store.events.head, head + 1, 'and revisions have no gap');
  const heard = store.userEvents.after(id, seq, 10);
  t.match(heard, [{ revision: seq + 1, payload: { added: [{ service_id: 'c' }] } }]);
  t.equal(heard.length, 1);
});

t.test(
  'one address cannot fill the queue of those who wait, and all of it is denied by one act',
  async (t) => {
    const under = await planeFor(t);
    const { pairing } = under.plane.store;
    const other = pairing.request({ ...FACTS, nodeName: 'mine' }, '192.0.2.7');
    let asked = 0;
    for (let n = 0; n < 40; n++) {
      try {
        pairing.request({ ...FACTS, nodeName: `x${n}` }, `2001:db8::${n}`);
        asked++;
      } catch {
        // What counts is how many got in.
      }
    }
    t.equal(asked, 10, 'a /64 is one address');
    const admin = await under.admin();
    const first = await admin.request('node_join_pending_list', { limit: 4 });
    const second = await admin.request('node_join_pending_list', { limit: 100, after: first.next! });
    t.equal(first.pending.length + second.pending.length, 11);
    t.equal(second.next, undefined);
    t.match(await admin.request('node_join_deny', { address: '2001:db8::3' }), { denied: 1 });
    t.match(await admin.request('node_join_deny', { all: true }), { denied: 10 });
    t.throws(() => pairing.joinByRequest(other.requestId, other.requestSecret, 1000), { code: 'EACCES' });
    await t.rejects(admin.request('node_join_deny', {}), { code: 'EINVAL' });
  },
);

t.test('what a machine says of itself is a few KB, and a message without a token is small', async (t) => {
  const under = await planeFor(t);
  const stranger = new Stranger(t, under.url);
  for (const facts of [
    { platform: { x: 'x'.repeat(5000) } },
    {
      labels: {
        a: 'x'.repeat(1000),
        b: 'x'.repeat(1000),
        c: 'x'.repeat(1000),
        d: 'x'.repeat(1000),
        e: 'x'.repeat(1000),
      },
    },
    { labels: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`l${n}`, '1'])) },
  ])
    t.match(await stranger.askToJoin('n', facts), { error: { code: 'invalid_payload' } });
  const peer = await stranger.atControl();
  peer.say('node_join_request', { node_name: 'n', platform: { x: 'x'.repeat(70_000) } });
  await until(() => peer.heard.length > 0);
  t.match(peer.heard, [{ error: { code: 'frame_too_large' } }]);
  for (const path of ['/', '/v2/fs'] as const) {
    const large = await stranger.open(path);
    large.send(`{"x":"${'x'.repeat(200_000)}"}`);
    t.equal(await large.ended, 1009, path);
  }
  const known = await under.admin();
  await t.resolves(
    known.request('project_create', {
      project_id: 'p',
      nodes: Array.from({ length: 9000 }, (_, n) => `node-number-${n}`),
    }),
    'who has a token may send more',
  );
});

t.test('without a token a connection ends in time, unless its request waits', async (t) => {
  const under = await planeFor(t, { limits: { strangerTimeoutMs: 150 } });
  const stranger = new Stranger(t, under.url);
  const idle = await stranger.atControl();
  const waiting = await stranger.atControl();
  const { payload } = await waiting.ask('node_join_request', { node_name: 'n' });
  const { request_id, request_secret } = payload as { request_id: string; request_secret: string };
  const poll = setInterval(() => waiting.say('node_join', { request_id, request_secret }), 50);
  t.teardown(() => clearInterval(poll));
  t.equal(await idle.ended, 1008);
  await until(() => waiting.heard.filter(({ payload }) => payload?.['state'] === 'pending').length > 6);
  t.equal(waiting.closed, undefined);
});

t.test('who opens sockets and says nothing turns out himself: others come in', async (t) => {
  const under = await planeFor(t);
  const bystander = await under.user();
  const silent = Array.from({ length: MAX_STRANGERS_PER_ADDRESS + 50 }, () =>
    connect(under.plane.port, '127.0.0.1').on('error', () => undefined),
  );
  t.teardown(() => silent.forEach((socket) => socket.destroy()));
  await until(() => silent.filter(({ destroyed }) => destroyed).length >= 40, 'the first to be cut');
  t.ok(await (await under.admin()).request('ping', {}));
  t.ok(await bystander.request('ping', {}), 'who is known is never turned out');
});
