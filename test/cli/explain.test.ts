import t from 'tap';
import { descriptor } from '../support/store.js';
import { PlaneCommands } from './plane-commands.js';

t.test(
  'explain prints the rule that decides, by what the control plane knows; to admins alone',
  async (t) => {
    const plane = await PlaneCommands.start(t);
    const admin = await plane.under.admin();
    const node = plane.under.plane.attachInProcessNode({ nodeName: 'lab', platform: null, labels: {} });
    node.upsert([descriptor('echo'), descriptor('closed', { permissions: { default: 'deny' } })]);
    await admin.request('project_create', {
      project_id: 'web',
      nodes: ['lab'],
      with_token: true,
      access_policy: { invoke: 'token', agents: { claude: { invoke: 'deny' } } },
    });
    const outcomes: [string, string, string, object][] = [
      ['admin', 'closed', 'admin', { allow: true, rule: 'admin' }],
      ['user', 'echo', 'invoke', { allow: false, rule: 'project-nodes' }],
      ['user,project=web', 'lab/echo', 'invoke', { allow: false, rule: 'project-mode' }],
      ['user,project=web,verified', 'lab/echo', 'invoke', { allow: true, rule: 'allowed' }],
      ['user,agent=claude,project=web,verified', 'echo', 'invoke', { allow: false, rule: 'project-mode' }],
      ['user,project=web', 'closed', 'observe', { allow: false, rule: 'permissions-default' }],
    ];
    for (const [as, service, action, outcome] of outcomes)
      t.match(await plane.json('explain', '--as', as, service, action), [{ node_id: 'lab', ...outcome }], as);
    t.match(await plane.run(['explain', '--as', 'user,agent=claude,project=web', 'echo', 'invoke']), {
      status: 0,
      stdout:
        "denied: user agent claude in project web: invoke lab/echo\n  project-mode: The project's access_policy for invoke is deny.\n",
    });
    t.match(await plane.run(['explain', '--as', 'user', 'none', 'invoke']), { status: 1, stderr: /ENOENT/ });
    t.match(await plane.run(['explain', '--as', 'user,colour=red', 'echo', 'invoke']), { status: 2 });
    const user = { ACHERON_TOKEN: plane.under.token('user') };
    t.match(await plane.run(['explain', '--as', 'user', 'echo', 'invoke'], user), {
      status: 1,
      stderr: /Only admins may ask/,
    });
    const status = await plane.run(['status']);
    t.match(status, { status: 0, stdout: /^session: \S+, admin, agent -, project -$/m });
    t.match(status.stdout, /^lab +online +2$/m);
    t.match(status.stdout, /^node: none runs with the state directory/m);
    t.match(await plane.run(['status'], { ACHERON_CONTROL_URL: 'ws://127.0.0.1:1' }), {
      status: 1,
      stdout: /control plane: .* is not available/,
    });
  },
);
