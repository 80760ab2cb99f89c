import t from 'tap';
import type { JsonObject, JsonValue } from '../../lib/core/index.js';
import { ControlDatabase } from '../../lib/control/store/database.js';
import { decide, policyFault, type Session } from '../../lib/policy/index.js';
import { planeFor } from '../support/plane.js';
import { FACTS, storeFor, descriptor } from '../support/store.js';

const WRONG: readonly (readonly [string, JsonValue])[] = [
  ['a mode that is null', { invoke: null }],
  ['a mode that is null among actions', { actions: { invoke: null } }],
  ['an unknown mode', { actions: { invoke: 'opne' } }],
  ['an unknown action', { actions: { invok: 'deny' } }],
  ['an unknown action, flat', { invok: 'deny' }],
  ['actions that are no object', { actions: [] }],
  ['actions that are null', { actions: null }],
  ['agents that are null', { agents: null }],
  ['an agent that is null', { agents: { a: null } }],
  ['an agent with an unknown mode', { agents: { a: { invoke: true } } }],
  ['an agent in a list without an id', { agents: [{ actions: { invoke: 'open' } }] }],
  ['an agent in a list twice', { agents: [{ agent_id: 'a' }, { agent_id: 'a', invoke: 'deny' }] }],
  ['an agent with an unknown action', { agents: [{ agent_id: 'a', actions: { fly: 'deny' } }] }],
  ['a list', []],
  ['a text', 'open'],
];
const RIGHT: readonly JsonObject[] = [
  {},
  { invoke: 'open' },
  { actions: { invoke: 'token', observe: 'open' }, control: 'deny' },
  { agents: { a: { invoke: 'open' }, b: { actions: { invoke: 'deny' } } } },
  {
    agents: [
      { agent_id: 'a', actions: { invoke: 'admin' } },
      { agent_id: 'b', invoke: 'open' },
    ],
  },
];

t.test('a policy that nobody can read is refused when it is given, and says where it is wrong', async (t) => {
  const under = await planeFor(t);
  const admin = await under.admin();
  await admin.request('project_create', { project_id: 'p', access_policy: { invoke: 'deny' } });
  for (const [what, policy] of WRONG) {
    const access_policy = policy as JsonObject;
    await t.rejects(
      admin.request('project_update', { project_id: 'p', access_policy }),
      { code: 'EINVAL' },
      what,
    );
    await t.rejects(
      admin.request('project_create', { project_id: 'q', access_policy }),
      { code: 'EINVAL' },
      what,
    );
  }
  t.match((await admin.request('project_list', {})).projects, [{ access_policy: { invoke: 'deny' } }]);
  await t.rejects(
    admin.request('project_update', { project_id: 'p', access_policy: { actions: { invok: 'deny' } } }),
    {
      message: /access_policy\.actions names "invok", which is no action/,
    },
  );
  for (const access_policy of RIGHT)
    await t.resolves(
      admin.request('project_update', { project_id: 'p', access_policy }),
      JSON.stringify(access_policy),
    );
});

t.test('a policy that is malformed denies, however it was stored', async (t) => {
  const service = {
    nodeId: 'n',
    serviceId: 's',
    permissions: { allow_roles: ['user'] },
    nodeProjects: [],
  };
  for (const [what, accessPolicy] of WRONG)
    for (const agentId of what.startsWith('an agent') ? ['a'] : [null, 'a', 'z'])
      for (const action of ['observe', 'invoke', 'read', 'write'] as const) {
        const project = { id: 'p', verified: true, hasToken: true, accessPolicy };
        const session: Session = { id: 'x', role: 'user', agentId, project, revoked: false };
        t.equal(decide(session, service, action).allow, false, `${what}: ${action}`);
      }
  for (const policy of RIGHT) t.equal(policyFault(policy), undefined);
});

t.test(
  'what stands in the database and is no policy denies too, and does not keep the plane from starting',
  async (t) => {
    const under = storeFor(t);
    const { stateDir } = under.options;
    under.store.nodes.join(FACTS, 60_000);
    under.store.nodes.upsert('n1', [descriptor('a')]);
    for (const id of ['garbage', 'list', 'number'])
      under.store.projects.create(id, { accessPolicy: {} }, false);
    under.store.close();
    const db = new ControlDatabase(`${stateDir}/control.db`);
    db.change(() => {
      db.run("UPDATE projects SET access_policy = '{' WHERE project_id = 'garbage'");
      db.run("UPDATE projects SET access_policy = '[]' WHERE project_id = 'list'");
      db.run("UPDATE projects SET access_policy = '7' WHERE project_id = 'number'");
    });
    db.close();
    under.store = new (under.store.constructor as typeof import('../../lib/control/index.js').ControlStore)(
      under.options,
    );
    const { store } = under;
    const [token] = store.tokens.list().filter(({ role }) => role === 'user');
    for (const id of ['garbage', 'list', 'number']) {
      const { sessionId } = store.sessions.create(token!, Buffer.alloc(32));
      store.sessions.attach(sessionId, id, null);
      const session: Session = { ...store.sessions.snapshot(sessionId), revoked: false };
      t.equal(session.project?.id, id);
      t.same(store.access.visibleServices(session, store.nodes.require('n1')), [], id);
    }
  },
);
