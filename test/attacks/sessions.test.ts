import t from 'tap';
import { MAX_SESSIONS_OF_A_TOKEN } from '../../lib/control/store/session-keeper.js';
import { MAX_WATCHES_OF_A_TOKEN } from '../../lib/control/server/watches.js';
import { planeFor } from '../support/plane.js';
import { until } from '../support/until.js';
import { slowestOf } from './fixtures/flood.js';
import { HostileUser } from './fixtures/hostile-user.js';

t.test('a token has so many sessions and no more: the oldest that nobody uses go', async (t) => {
  const under = await planeFor(t);
  const { sessions, tokens } = under.plane.store;
  const user = await under.user();
  const used = (await user.request('session_status', {})).session;
  const { record, hash } = tokens.verify(under.token('user'))!;
  const first = sessions.create(record, hash).sessionId;
  for (let n = 0; n < MAX_SESSIONS_OF_A_TOKEN + 200; n++) sessions.create(record, hash);
  t.ok(sessions.list({ tokenId: record.tokenId }).length <= MAX_SESSIONS_OF_A_TOKEN);
  t.equal(sessions.get(first), undefined);
  t.equal((await user.request('session_status', {})).session, used, 'one that is used stays');
  const admin = await under.admin();
  t.ok((await admin.request('session_status', {})).session, 'another token keeps its own');

  const all: string[] = [];
  let after: string | undefined;
  do {
    const page = await user.request('session_list', {
      limit: 300,
      ...(after === undefined ? {} : { after }),
    });
    t.ok(page.sessions.length <= 300);
    all.push(...page.sessions.map(({ session }) => session));
    after = page.next;
  } while (after !== undefined);
  t.same(
    all,
    sessions.list({ tokenId: record.tokenId }).map(({ sessionId }) => sessionId),
  );
  await t.rejects(user.request('session_list', { after: 'x' }), { message: /`after`/ });
});

t.test('sessions that nobody uses are swept while the control plane runs', async (t) => {
  const under = await planeFor(t, { limits: { sweepEveryMs: 20, sessionKeepMs: 200 } });
  const { sessions } = under.plane.store;
  const staying = await under.user();
  const { session: kept } = await staying.request('session_status', {});
  const leaving = new HostileUser(t, under.url, under.token('user'));
  const { payload } = await (await leaving.open('/')).shake();
  const gone = payload!['session'] as string;
  t.ok(sessions.get(gone));
  leaving.leave();
  await until(() => sessions.get(gone) === undefined, 'the session to be swept');
  t.ok(sessions.get(kept), 'one in use is not');
  t.equal((await staying.request('session_status', {})).session, kept);
});

t.test('who reconnects as fast as he can does not hold up others', async (t) => {
  const under = await planeFor(t);
  const bystander = await under.admin();
  const attacker = new HostileUser(t, under.url, under.token('user'));
  let begun = 0;
  let going = true;
  const again = async (): Promise<void> => {
    while (going) {
      const peer = await attacker.control();
      peer.end();
      begun++;
    }
  };
  const floods = Array.from({ length: 16 }, () => again());
  await until(() => begun > 16, 'the flood to begin');
  const slowestMs = await slowestOf(200, () => bystander.request('ping', {}));
  going = false;
  await Promise.all(floods);
  t.ok(slowestMs < 2_000, `${Math.round(slowestMs)} ms at most, but for two, while ${begun} sessions began`);
});

t.test('a session outlives the control plane that began it', async (t) => {
  const under = await planeFor(t);
  const user = await under.user();
  const { session } = await user.request('session_status', {});
  await under.restart();
  await user.ready();
  await until(() => under.plane.store.sessions.usersOf(session) > 0, 'the session to be used again');
});

t.test('all connections of a token have so many watches together', async (t) => {
  const under = await planeFor(t);
  const attacker = new HostileUser(t, under.url, under.token('user'));
  let answered = 0;
  let refused = 0;
  const peers = await Promise.all(Array.from({ length: 20 }, () => attacker.control()));
  for (const peer of peers)
    await Promise.all(
      Array.from({ length: 64 }, async (_, n) => {
        const { error } = await peer.ask('node_service_watch', { watch_id: `w${n}` });
        if (error === undefined) answered++;
        else if (error.code === 'session_busy') refused++;
      }),
    );
  t.equal(answered, MAX_WATCHES_OF_A_TOKEN);
  t.equal(refused, 20 * 64 - MAX_WATCHES_OF_A_TOKEN);
  t.ok((await (await under.admin()).request('node_service_watch', {})).watch_id, 'another token has its own');
  peers[0]!.end();
  const last = peers.at(-1)!;
  await until(() => under.plane.store.sessions.live.length <= 20, 'the first to be gone');
  t.equal((await last.ask('node_service_watch', { watch_id: 'more' })).error, undefined);
});
