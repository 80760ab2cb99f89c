import t from 'tap';
import type { JsonValue } from '../../lib/core/index.js';
import { decide, type Action, type Role, type Session, type SessionProject } from '../../lib/policy/index.js';

/**
 * The whole matrix role × permissions × project × agent × action, against tables written by hand. Each
 * part of a case says in words what it lets through; the expectation is their meeting, spelled out below
 * without looking at the code under test.
 */

const ACTIONS = [
  'observe',
  'read',
  'write',
  'invoke',
  'control',
  'mount',
  'admin',
] as const satisfies readonly Action[];

/**
 * For each manifest's permissions: which actions they leave a user, with a proved project token and
 * without, by first letter.
 */
const PERMISSIONS: readonly {
  name: string;
  permissions: JsonValue | undefined;
  proved: string;
  unproved: string;
}[] = [
  { name: 'absent', permissions: undefined, proved: '', unproved: '' },
  { name: '{} means deny', permissions: {}, proved: '', unproved: '' },
  { name: 'null', permissions: null, proved: '', unproved: '' },
  { name: 'a list', permissions: ['user'], proved: '', unproved: '' },
  { name: 'default allow', permissions: { default: 'allow' }, proved: 'orwim', unproved: 'orwim' },
  { name: 'default deny', permissions: { default: 'deny' }, proved: '', unproved: '' },
  { name: 'deny-by-default', permissions: { default: 'deny-by-default' }, proved: '', unproved: '' },
  { name: 'an unknown default', permissions: { default: 'perhaps' }, proved: '', unproved: '' },
  { name: 'roles name user', permissions: { allow_roles: ['user'] }, proved: 'orwim', unproved: 'orwim' },
  { name: 'roles name admin alone', permissions: { allow_roles: ['admin'] }, proved: '', unproved: '' },
  {
    name: 'roles win over default',
    permissions: { allow_roles: ['admin'], default: 'allow' },
    proved: '',
    unproved: '',
  },
  { name: 'all', permissions: { allow_roles: ['all'] }, proved: 'orwim', unproved: 'orwim' },
  { name: 'a star, not in a list', permissions: { allow_roles: '*' }, proved: 'orwim', unproved: 'orwim' },
  { name: 'roles of a wrong kind', permissions: { allow_roles: [1, 'user'] }, proved: '', unproved: '' },
  { name: 'no roles', permissions: { allow_roles: [] }, proved: '', unproved: '' },
  {
    name: 'a project token is required',
    permissions: { default: 'allow', require_project_token: true },
    proved: 'orwim',
    unproved: '',
  },
  {
    name: 'the same by its other name',
    permissions: { default: 'allow', project_token_required: true },
    proved: 'orwim',
    unproved: '',
  },
  {
    name: 'required: neither true nor false',
    permissions: { default: 'allow', require_project_token: 'yes' },
    proved: '',
    unproved: '',
  },
  {
    name: 'control for users too',
    permissions: { default: 'allow', actions: { control: { allow_roles: ['user'] } } },
    proved: 'orwimc',
    unproved: 'orwimc',
  },
  {
    name: 'read for admins alone',
    permissions: { default: 'allow', actions: { read: { allow_roles: ['admin'] } } },
    proved: 'owim',
    unproved: 'owim',
  },
  {
    name: 'invoke for admins alone hides it, and write follows',
    permissions: { default: 'allow', actions: { invoke: { allow_roles: ['admin'] } } },
    proved: 'orm',
    unproved: 'orm',
  },
  {
    name: 'observe for admins alone hides it',
    permissions: { default: 'allow', actions: { observe: { allow_roles: ['admin'] } } },
    proved: 'rwim',
    unproved: 'rwim',
  },
  {
    name: 'actions of a wrong kind',
    permissions: { default: 'allow', actions: [] },
    proved: '',
    unproved: '',
  },
];

type Modes = Partial<Record<'observe' | 'read' | 'write' | 'invoke' | 'control' | 'mount', string>>;

/** What a project's policy says of each action, and of agent "bot" where that differs. */
const POLICIES: readonly {
  name: string;
  policy: JsonValue | undefined;
  modes: Modes | 'malformed';
  bot?: Modes | 'malformed';
}[] = [
  { name: 'no policy', policy: undefined, modes: {} },
  { name: 'an empty policy', policy: {}, modes: {} },
  { name: 'a malformed policy', policy: 'open', modes: 'malformed' },
  { name: 'invoke open', policy: { actions: { invoke: 'open' } }, modes: { invoke: 'open' } },
  { name: 'invoke token', policy: { actions: { invoke: 'token' } }, modes: { invoke: 'token' } },
  { name: 'invoke admin', policy: { actions: { invoke: 'admin' } }, modes: { invoke: 'admin' } },
  { name: 'invoke deny', policy: { actions: { invoke: 'deny' } }, modes: { invoke: 'deny' } },
  { name: 'flat', policy: { invoke: 'deny', read: 'open' }, modes: { invoke: 'deny', read: 'open' } },
  { name: 'an unknown mode', policy: { actions: { invoke: 'sometimes' } }, modes: { invoke: 'sometimes' } },
  {
    name: 'look, do not touch',
    policy: { actions: { observe: 'open', invoke: 'deny' } },
    modes: { observe: 'open', invoke: 'deny' },
  },
  { name: 'observe denied by name', policy: { actions: { observe: 'deny' } }, modes: { observe: 'deny' } },
  {
    name: 'read alone',
    policy: { actions: { observe: 'open', read: 'open', write: 'deny', invoke: 'deny' } },
    modes: { observe: 'open', read: 'open', write: 'deny', invoke: 'deny' },
  },
  {
    name: 'the bot may, others not',
    policy: { actions: { invoke: 'deny' }, agents: { bot: { invoke: 'open' } } },
    modes: { invoke: 'deny' },
    bot: { invoke: 'open' },
  },
  {
    name: 'the bot may not, as a list',
    policy: { actions: { invoke: 'open' }, agents: [{ agent_id: 'bot', actions: { invoke: 'deny' } }] },
    modes: { invoke: 'open' },
    bot: { invoke: 'deny' },
  },
  {
    name: 'the bot only looks',
    policy: { agents: { bot: { actions: { observe: 'open', invoke: 'deny' } } } },
    modes: {},
    bot: { observe: 'open', invoke: 'deny' },
  },
  { name: 'the bot entry is malformed', policy: { agents: { bot: 'open' } }, modes: {}, bot: 'malformed' },
  { name: 'the name of a prototype', policy: { agents: { bot: { toString: 'open' } } }, modes: {} },
];

const PROJECTS = ['none', 'tokenless', 'unproved', 'proved'] as const;
const NODES = ['unnamed', 'ours', "another's"] as const;

t.test('users: every case of the matrix is decided as the tables say', async (t) => {
  let cases = 0;
  const wrong: string[] = [];
  for (const { name, permissions, proved, unproved } of PERMISSIONS)
    for (const { name: policyName, policy, modes, bot } of POLICIES)
      for (const project of PROJECTS)
        for (const agentId of [null, 'bot', 'other'])
          for (const node of NODES) {
            const session = sessionWith('user', agentId, project, policy);
            const inForce = agentId === 'bot' && bot !== undefined ? bot : modes;
            const may = expected({
              listed: project === 'proved' ? proved : unproved,
              modes: inForce,
              project,
              node,
            });
            for (const action of ACTIONS) {
              cases++;
              const facts = {
                nodeId: 'n',
                serviceId: 's',
                permissions,
                nodeProjects: node === 'unnamed' ? [] : [node === 'ours' ? 'p' : 'q'],
              };
              const { allow } = decide(session, facts, action);
              if (allow !== may(action))
                wrong.push([name, policyName, project, agentId, node, action, allow].join(' / '));
            }
          }
  t.same(wrong.slice(0, 20), []);
  t.ok(cases > 90_000, `${cases} cases`);
});

t.test('admins may everything, and the revoked nothing', async (t) => {
  for (const { permissions } of PERMISSIONS)
    for (const { policy } of POLICIES)
      for (const project of PROJECTS)
        for (const action of ACTIONS) {
          const facts = { nodeId: 'n', serviceId: 's', permissions, nodeProjects: ['q'] };
          const admin = sessionWith('admin', null, project, policy);
          if (!decide(admin, facts, action).allow) t.fail(`admin ${action}`);
          if (decide({ ...admin, revoked: true }, facts, action).allow) t.fail(`revoked ${action}`);
        }
  t.pass('each case');
});

t.test('an unknown role or action denies', async (t) => {
  const facts = { nodeId: 'n', serviceId: 's', permissions: { default: 'allow' }, nodeProjects: [] };
  t.notOk(decide(sessionWith('root' as Role, null, 'none', undefined), facts, 'invoke').allow);
  t.notOk(decide(sessionWith('user', null, 'none', undefined), facts, 'fly' as Action).allow);
});

function sessionWith(
  role: Role,
  agentId: string | null,
  project: (typeof PROJECTS)[number],
  policy: JsonValue | undefined,
): Session {
  const attached: SessionProject | null =
    project === 'none'
      ? null
      : { id: 'p', verified: project === 'proved', hasToken: project !== 'tokenless', accessPolicy: policy };
  return { id: 's', role, agentId, project: attached, revoked: false };
}

/** The rules of "Who may do what", steps 2 to 4, once more in other words. */
function expected(of: {
  listed: string;
  modes: Modes | 'malformed';
  project: string;
  node: string;
}): (action: Action) => boolean {
  const { listed, modes, project, node } = of;
  const letters = {
    observe: 'o',
    read: 'r',
    write: 'w',
    invoke: 'i',
    control: 'c',
    mount: 'm',
    admin: '?',
  } as const;
  const reachable = node === 'unnamed' || (node === 'ours' && project !== 'none');
  const byService = (action: Action): boolean => reachable && listed.includes(letters[action]);
  const passes = (mode: string): boolean => mode === 'open' || (mode === 'token' && project === 'proved');
  const unnamedMode = project === 'none' || project === 'tokenless' ? 'open' : 'token';
  const byProject = (action: keyof Modes): boolean => {
    if (project === 'none') return true;
    if (modes === 'malformed') return false;
    return passes(modes[action] ?? (action === 'write' ? modes.invoke : undefined) ?? unnamedMode);
  };
  const observeNamed = project !== 'none' && modes !== 'malformed' ? modes.observe : undefined;
  const sees = (): boolean => {
    if (!byService('observe') || (project !== 'none' && modes === 'malformed')) return false;
    return observeNamed === undefined ? byService('invoke') && byProject('invoke') : passes(observeNamed);
  };
  return (action) => {
    if (action === 'admin') return false;
    if (action === 'observe') return sees();
    if (!byService(action) || !byProject(action)) return false;
    return action === 'invoke' || sees();
  };
}
