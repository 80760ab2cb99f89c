import t from 'tap';
import { silentLog } from '../../lib/core/index.js';
import { REPEATS_WINDOW_MS } from '../../lib/core/repeats.js';
import { Denials } from '../../lib/control/server/denials.js';
import { FakeClock } from '../support/fake-clock.js';
import { planeFor } from '../support/plane.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { storeFor } from '../support/store.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';
import { flood, slowestOf } from './fixtures/flood.js';
import { HostileUser, writeAt } from './fixtures/hostile-user.js';

t.test('who is denied over and over fills no log: the first is recorded, the rest is counted', async (t) => {
  const clock = new FakeClock();
  const { store } = storeFor(t, { clock });
  const denials = new Denials(store.audit, clock, silentLog);
  const before = store.audit.tail(1000).length;
  const records = (): number => store.audit.tail(1000).length - before;
  for (let n = 0; n < 5000; n++) denials.note('t1', { act: 'token_list', session_id: `s${n}` });
  denials.note('t1', { act: 'token_create' });
  denials.note('t2', { act: 'token_list' });
  t.equal(records(), 3, 'one of each token and act');
  clock.advance(REPEATS_WINDOW_MS);
  t.match(store.audit.tail(1), [
    { act: 'token_list', outcome: 'denied', repeats: 4999, session_id: 's4999' },
  ]);
  t.equal(records(), 4);
  denials.note('t1', { act: 'token_list' });
  t.equal(records(), 4, 'the next window has begun');
  denials.close();
  t.match(store.audit.tail(1), [{ repeats: 1 }], 'and the end reports the rest');
  t.equal(clock.pending, 0);
});

t.test(
  'a user who floods the plane with what he may not do waits for himself: others are served',
  async (t) => {
    const under = await planeFor(t);
    const bystander = await under.admin();
    const audited = (): number => under.plane.store.audit.tail(10_000).length;
    const before = audited();
    const attack = await flood(t, {
      url: under.url,
      token: under.token('user'),
      connections: 20,
      requests: [
        ['token_list', {}],
        ['session_attach', { project_id: 'none' }],
        ['audit_tail', {}],
        ['session_list', {}],
      ],
    });
    const slowestMs = await slowestOf(300, () => bystander.request('ping', {}));
    t.ok(slowestMs < 2_000, `${Math.round(slowestMs)} ms at most, but for two`);
    await until(() => attack.answers() > 1000, 'the flood to be answered too');
    attack.stop();
    t.ok(audited() - before < 30, `${audited() - before} records`);
  },
);

t.test('the same at a node: denials of one caller, act and service are one record and a count', async (t) => {
  const manifest = shellManifest('echo', 'cat', { permissions: { allow_roles: ['user'] } });
  const under = await PlaneWithNode.start(t, 'through a tunnel', [manifest]);
  const user = await new HostileUser(t, under.plane.url, under.token('user')).files();
  const { audit } = under.plane.control.store;
  const denied = (): unknown[] =>
    audit.tail(10_000).filter(({ outcome, origin }) => outcome === 'denied' && origin === 'n1');
  for (let n = 0; n < 200; n++) t.equal(await writeAt(user, '/nodes/n1/services/echo/config.json', '{}'), 13);
  await until(() => denied().length > 0, 'the first to be recorded');
  t.equal(denied().length, 1);
});
