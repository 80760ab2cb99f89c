import t from 'tap';
import { faultOf } from '../../lib/control/index.js';
import { descriptor } from '../support/store.js';
import { planeFor } from '../support/plane.js';
import { until } from '../support/until.js';

const code = (error: unknown): string | undefined => faultOf(error)?.code;
const refused = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => 'done',
    (error: unknown) => code(error),
  );

t.test('the handshake says who connects, and a session goes on after a restart', async (t) => {
  const under = await planeFor(t);
  const user = await under.user();
  const { welcome } = user;
  t.match(welcome, {
    role: 'user',
    agent_id: null,
    project_id: null,
    protocol: 'unified-v2',
    bootstrap_only: false,
    requires_session_attach: false,
    workspace: { mounts: [] },
  });
  await under.restart();
  await until(() => user.state.state !== 'open' || user.welcome !== welcome);
  await user.ready();
  t.equal(user.welcome!.session, welcome!.session);
  t.ok((await user.request('ping', {})).timestamp_ms > 0);
});

t.test(
  'tokens are made, listed, rotated and revoked by admins alone, and each act is in the audit log',
  async (t) => {
    const under = await planeFor(t);
    const admin = await under.admin();
    const user = await under.user();
    t.equal(await refused(user.request('token_list', {})), 'forbidden');
    t.equal(await refused(user.request('token_create', { role: 'admin' })), 'forbidden');
    const made = await admin.request('token_create', { role: 'user', agent_id: 'bot', projects: ['p'] });
    const bot = under.client(made.token);
    t.match(await bot.ready(), { role: 'user', agent_id: 'bot', requires_session_attach: true });
    t.notMatch(JSON.stringify(await admin.request('token_list', {})), made.token.slice(-43));
    t.match(await bot.request('auth_status', {}), { record: { agent_id: 'bot', projects: ['p'] } });
    let changed = false;
    bot.sessionChanged.on(({ revoked }) => (changed = revoked));
    await admin.request('token_revoke', { token_id: made.record.token_id });
    t.equal(await refused(bot.request('node_list', {})), 'provider_auth_failed');
    t.ok(changed, 'and it was sent');
    const rotated = await admin.request('auth_rotate', {});
    t.equal(under.token('admin'), rotated.token, 'the file of the first start has the new one');
    t.equal(await refused(admin.request('ping', {})), 'done');
    t.equal(await refused(admin.request('token_list', {})), 'provider_auth_failed');
    const again = await under.admin();
    const { records } = await again.request('audit_tail', { limit: 10 });
    t.match(
      records.map(({ act, outcome, role }) => [act, outcome, role]),
      [
        ['token_list', 'denied', 'user'],
        ['token_create', 'denied', 'user'],
        ['token_create', 'ok', 'admin'],
        ['token_revoke', 'ok', 'admin'],
        ['auth_rotate', 'ok', 'admin'],
      ],
    );
    t.notMatch(JSON.stringify(records), /acheron_(admin|user)_/);
  },
);

t.test('attaching to a project that the token may not is as if there were none', async (t) => {
  const under = await planeFor(t);
  const admin = await under.admin();
  const { project_token } = await admin.request('project_create', { project_id: 'p', with_token: true });
  await admin.request('project_create', { project_id: 'other' });
  const { token } = await admin.request('token_create', { role: 'user', projects: ['p', 'p2'] });
  const user = under.client(token);
  const answers = await Promise.allSettled(
    ['other', 'none'].map((project_id) => user.request('session_attach', { project_id })),
  );
  t.same(
    answers.map(
      (answer) => answer.status === 'rejected' && faultOf(answer.reason)?.message.replace(/"\w+"/, ''),
    ),
    ['There is no project .', 'There is no project .'],
  );
  t.match(await user.request('session_attach', { project_id: 'p' }), {
    project_id: 'p',
    project_verified: false,
  });
  t.equal(
    await refused(user.request('session_attach', { project_id: 'p', project_token: 'guess' })),
    'forbidden',
  );
  t.match(await user.request('session_attach', { project_id: 'p', project_token }), {
    project_verified: true,
  });
  await admin.request('project_token_rotate', { project_id: 'p' });
  t.match(await user.request('session_status', {}), { project_verified: false });
  t.match(await user.request('project_list', {}), {
    projects: [{ project_id: 'p', access_policy: undefined }],
  });
  t.equal(await refused(user.request('project_get', { project_id: 'other' })), 'not_found');
});

t.test(
  '[P] denial looks like absence: a user neither lists, counts, gets nor hears of what it may not see',
  async (t) => {
    const under = await planeFor(t);
    const admin = await under.admin();
    const user = await under.user();
    const node = under.plane.attachInProcessNode({ nodeName: 'n1', platform: null, labels: {} });
    const hidden = under.plane.attachInProcessNode({ nodeName: 'hidden', platform: null, labels: {} });
    const heard: unknown[] = [];
    const subscription = user.watch({ onEvent: (event) => heard.push(event) });
    await new Promise<void>((resolve) => user.watch({ onBegin: resolve, onEvent: () => undefined }));
    node.upsert([descriptor('open'), descriptor('secret-one', { permissions: {} })]);
    hidden.upsert([descriptor('secret-two', { permissions: { allow_roles: ['admin'] } })]);
    t.match(await user.request('node_list', {}), { nodes: [{ node_id: 'n1', services: 1 }] });
    t.equal((await user.request('node_list', {})).nodes.length, 1);
    t.same(
      (await user.request('node_service_get', { node_id: 'n1' })).index.map(({ service_id }) => service_id),
      ['open'],
    );
    const messages = await Promise.allSettled([
      user.request('node_get', { node_id: 'hidden' }),
      user.request('node_get', { node_id: 'absent' }),
      user.request('node_service_get', { node_id: 'n1', service_id: 'secret-one' }),
      user.request('node_service_get', { node_id: 'n1', service_id: 'absent' }),
    ]);
    const said = messages.map((answer) =>
      answer.status === 'rejected' ? (answer.reason as Error).message : 'done',
    );
    t.equal(said[0]!.replace('hidden', 'absent'), said[1]);
    t.equal(said[2]!.replace('secret-one', 'absent'), said[3]);
    await until(() => heard.length >= 1);
    t.notMatch(JSON.stringify(heard), /secret/);
    t.notMatch(JSON.stringify(await user.request('metrics', {})), /n1|open|secret/);
    t.match(JSON.stringify(await admin.request('metrics', {})), /secret-one/);
    subscription.close();
  },
);

t.test('users learn what a change of policy shows and hides, with a seq of their own', async (t) => {
  const under = await planeFor(t);
  const admin = await under.admin();
  await admin.request('project_create', { project_id: 'p' });
  const user = await under.user({ project: { id: 'p', token: null } });
  const node = under.plane.attachInProcessNode({ nodeName: 'n1', platform: null, labels: {} });
  node.upsert([descriptor('a')]);
  const heard: string[] = [];
  const seqs: number[] = [];
  await new Promise<void>((resolve) => {
    user.watch({
      onBegin: resolve,
      onEvent: ({ seq, service_delta }) => {
        seqs.push(seq);
        heard.push(`+${service_delta!.added.length} -${service_delta!.removed.length}`);
      },
    });
  });
  await admin.request('project_update', { project_id: 'p', access_policy: { actions: { invoke: 'deny' } } });
  await admin.request('project_create', { project_id: 'unrelated', nodes: ['elsewhere'] });
  await admin.request('project_update', { project_id: 'p', access_policy: null });
  await admin.request('project_create', { project_id: 'q', nodes: ['n1'] });
  await admin.request('project_update', { project_id: 'p', nodes: ['n1'] });
  await user.request('session_attach', { project_id: null });
  await until(() => heard.length >= 5);
  t.same(heard, ['+0 -1', '+1 -0', '+0 -1', '+1 -0', '+0 -1']);
  t.same(seqs, [1, 2, 3, 4, 5]);
});
