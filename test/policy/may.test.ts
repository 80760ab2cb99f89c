import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { actionsOf, decide, localSession, type Session } from '../../lib/policy/index.js';

const inProject = (accessPolicy: JsonObject, agentId: string | null = null): Session => ({
  ...localSession('user', agentId),
  project: { id: 'p', verified: false, hasToken: false, accessPolicy },
});

t.test('what a session may do follows its role', async (t) => {
  t.same(actionsOf(localSession('admin')), [
    'observe',
    'read',
    'write',
    'invoke',
    'control',
    'mount',
    'admin',
  ]);
  t.same(actionsOf(localSession('user')), ['observe', 'read', 'write', 'invoke', 'mount']);
  t.same(actionsOf({ ...localSession('admin'), revoked: true }), []);
});

t.test(
  'what a session may do follows the policy of its project, and the agent of its own entry',
  async (t) => {
    t.same(actionsOf(inProject({ actions: { write: 'deny' } })), ['observe', 'read', 'invoke', 'mount']);
    t.same(actionsOf(inProject({ actions: { invoke: 'deny' } })), [], 'what may not be invoked is absent');
    t.same(actionsOf(inProject({ actions: { invoke: 'admin', observe: 'open' } })), [
      'observe',
      'read',
      'mount',
    ]);
    t.same(actionsOf(inProject({ invoke: 'token' })), [], 'the token was not proved');
    const agents = { agents: { a1: { read: 'deny' } } };
    t.same(actionsOf(inProject(agents, 'a1')), ['observe', 'write', 'invoke', 'mount']);
    t.same(actionsOf(inProject(agents, 'a2')), ['observe', 'read', 'write', 'invoke', 'mount']);
  },
);

t.test('a session of a role that there is not is denied for that reason, and for no other', async (t) => {
  const session = { ...localSession('user'), role: 'guest' as 'user' };
  const service = { nodeId: 'n', serviceId: 's', permissions: { allow_roles: 'all' }, nodeProjects: [] };
  t.match(decide(session, service, 'invoke'), { allow: false, rule: 'unknown-role' });
});
