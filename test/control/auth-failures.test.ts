import t from 'tap';
import { silentLog, type JsonObject } from '../../lib/core/index.js';
import { AuthFailureLog, REFUSALS_WINDOW_MS } from '../../lib/control/server/auth-failure-log.js';
import { ControlStore } from '../../lib/control/store/store.js';
import { FakeClock } from '../support/fake-clock.js';
import { planeFor } from '../support/plane.js';
import { RawClient } from '../support/raw-client.js';
import { temporaryDir } from '../support/store.js';
import { until } from '../support/until.js';

t.test(
  'a failed login, a bad invite and a wrong node secret are in the audit log, without what was offered',
  async (t) => {
    const under = await planeFor(t);
    const admin = await under.admin();
    const { invite_token } = await admin.request('node_invite_create', {});
    await admin.request('node_join', { invite_token, node_name: 'lab' });
    const secret = 'not-the-right-one';
    const failing = [
      RawClient.connect(under.url, secret),
      fetch(`${under.url.replace('ws', 'http')}/metrics`, { headers: { authorization: `Bearer ${secret}` } }),
      admin.request('node_join', { invite_token: `acheron_invite_${secret}`, node_name: 'lab2' }),
      admin.request('node_join', { request_id: 'r-1', request_secret: secret }),
      under
        .client(undefined, { connect: () => ({ node_id: 'lab', node_secret: secret }), isFinal: () => true })
        .ready(),
    ].map((attempt: Promise<unknown>) => attempt.catch(() => undefined));
    const files = await RawClient.connect(`${under.url}/v2/fs`);
    const hello = { protocol: 'unified-v2-fs', proto: 2 };
    files.send({
      channel: 'acheron',
      type: 'acheron.t_fs_hello',
      tag: 1,
      payload: { ...hello, auth_token: secret },
    });
    const twin = await RawClient.connect(`${under.url}/v2/fs`);
    const asNode = { ...hello, node_id: 'lab', node_secret: secret };
    twin.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload: asNode });

    const refused = async (): Promise<JsonObject[]> => {
      const { records } = await admin.request('audit_tail', { limit: 100 });
      return (records as JsonObject[]).filter(
        ({ outcome, address }) => outcome === 'denied' && address !== undefined,
      );
    };
    await until(async () => (await refused()).length >= 7);
    const records = await refused();
    t.strictSame(records.map(({ act, reason }) => `${act as string} ${reason as string}`).sort(), [
      'login bad_token',
      'login bad_token',
      'login bad_token',
      'node_join bad_invite',
      'node_join bad_request_secret',
      'node_login bad_node_secret',
      'node_login bad_node_secret',
    ]);
    for (const { act, address, target } of records) {
      t.match(address, /127\.0\.0\.1/);
      t.strictSame(target, act === 'node_login' ? { node_id: 'lab' } : undefined);
    }
    t.notMatch(JSON.stringify(records), secret);
    files.socket.terminate();
    twin.socket.terminate();
    await under.plane.close();
    await Promise.all(failing);
  },
);

t.test('who guesses all day does not fill the disk: the rest is counted in one line', async (t) => {
  const clock = new FakeClock();
  const store = new ControlStore({ stateDir: temporaryDir(t), clock });
  t.teardown(() => store.close());
  const authFailures = new AuthFailureLog(store.audit, clock, silentLog);
  const guess = (address: string): void => authFailures.note({ act: 'login', address, reason: 'bad_token' });
  for (let i = 0; i < 1000; i++) guess('192.0.2.1');
  t.equal(store.audit.tail(1000).length, 10, 'one address');
  for (let i = 0; i < 10_000; i++) guess(`2001:db8::${i.toString(16)}`);
  t.equal(store.audit.tail(1000).length, 100, 'all together');
  clock.advance(REFUSALS_WINDOW_MS);
  t.match(store.audit.tail(1), [{ reason: 'too_many', more: 10_900 }]);
  guess('192.0.2.1');
  t.equal(store.audit.tail(1000).length, 102, 'then it begins anew');
  guess('192.0.2.1');
  authFailures.close();
  t.equal(clock.pending, 0);
  t.equal(store.audit.tail(1000).length, 103, 'and where nothing was left out, nothing is added');
});
