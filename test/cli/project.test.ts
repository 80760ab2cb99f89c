import t from 'tap';
import { PlaneCommands } from './plane-commands.js';

t.test('projects are made, changed, shown and deleted; a token is printed where it is made', async (t) => {
  const plane = await PlaneCommands.start(t);
  const policy = '{"actions":{"invoke":"token"}}';
  const made = await plane.run(
    ['project', 'create', 'web', '--node', 'lab', '--node', 'build', '--policy', '-', '--with-token'],
    {},
    policy,
  );
  t.match(made, { status: 0, stdout: /^\S+\n$/, stderr: 'Project web is made.\n' });
  t.match(await plane.json('project', 'get', 'web'), {
    project_id: 'web',
    nodes: ['build', 'lab'],
    access_policy: JSON.parse(policy),
    has_token: true,
  });
  const updated = await plane.run(['project', 'update', 'web', '--name', 'The \u001b[31mweb', '--no-node']);
  t.match(updated, { status: 0, stdout: /^name: The \\x1b\[31mweb$/m });
  t.match((await plane.run(['project', 'list'])).stdout, /^web +yes +yes +- +The/m);
  const rotated = await plane.run(['project', 'token', 'rotate', 'web']);
  t.notOk(rotated.stdout.includes(made.stdout.trim()));
  t.match(await plane.run(['project', 'token', 'revoke', 'web']), { status: 0 });
  t.match(await plane.json('project', 'get', 'web'), { has_token: false, nodes: [] });
  await plane.run(['project', 'update', 'web', '--node', 'lab']);
  t.match(await plane.run(['project', 'update', 'web', '--policy', '-'], {}, '{"invoke":"open"}'), {
    status: 0,
  });
  t.match(
    await plane.json('project', 'get', 'web'),
    { nodes: ['lab'], access_policy: { invoke: 'open' } },
    'what is not given stays',
  );
  t.match(await plane.run(['project', 'update', 'web', '--policy', '-'], {}, '{"invok":"deny"}'), {
    status: 1,
    stderr: /names "invok", which is no action/,
  });
  t.match(await plane.run(['project', 'update', 'web', '--policy', '-'], {}, '[]'), {
    status: 1,
    stderr: /it is not a JSON object\. \(EINVAL\)/,
  });
  t.match(await plane.run(['project', 'delete', 'web']), { status: 0 });
  t.match(await plane.run(['project', 'get', 'web']), { status: 1, stderr: /There is no project.*ENOENT/ });
});
