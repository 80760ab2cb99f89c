import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { Up, acheron } from '../support/acheron.js';
import { PlaneProcesses, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { SHELLS, lacks, runShell, type Shell } from '../support/shells.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

t.setTimeout(240_000);

/** The indented blocks of a guide, each as it would be pasted. */
function commandsOf(file: string): string[] {
  const blocks = readFileSync(file, 'utf8').split(/\n(?! {4})/);
  return blocks.flatMap((block) => {
    const lines = block.split('\n').filter((line) => line.startsWith('    '));
    return lines.length === 0 ? [] : [lines.map((line) => line.slice(4)).join('\n')];
  });
}

/** Pastes all that a guide suggests, in its own directory; answers what was printed. */
async function paste(t: Test, file: string, shell: Shell, cwd = dirname(file)): Promise<string> {
  let printed = '';
  const commands = commandsOf(file);
  t.ok(commands.length > 0, `${file} has commands`);
  for (const command of commands) {
    const { status, stdout, stderr } = await runShell(shell, command, { cwd });
    t.equal(status, 0, `${command}\n${stdout}${stderr}`);
    printed += stdout;
  }
  return printed;
}

t.test(
  'what the bundled services say of how they are called can be pasted in their directories',
  async (t) => {
    const up = await Up.start(t, { bundled: true });
    for (const id of readdirSync(up.service('')).filter((name) => !name.includes('.')))
      if (id !== 'handbook') await paste(t, up.service(id, 'README.md'), 'bash');
    await paste(t, up.service('handbook', 'README.md'), 'bash');
    await paste(t, join(up.dir, 'nodes/local/README.md'), 'bash');
  },
);

const AWKWARD = { quote: "it's", path: 'C:\\new', line: 'one\ntwo', dollar: '$HOME `x`' };

t.test('the guides hold in each shell, with awkward templates too', async (t) => {
  const up = await Up.start(t, {
    manifests: [
      shellManifest('echo', 'cat', { help_md: '# echo\n\nGives back\nwhat it got. And more.\n' }),
      shellManifest('awkward', 'cat', { invoke_template: AWKWARD }),
      { service_id: 'notes', kind: 'notes', help_md: 'Only\ttext', permissions: { allow_roles: ['admin'] } },
    ],
  });
  for (const shell of SHELLS) {
    await t.test(shell, { skip: lacks(shell) }, async (t) => {
      const printed = await paste(t, up.service('awkward', 'README.md'), shell);
      t.same(JSON.parse(readFileSync(up.service('awkward', 'result.json'), 'utf8')), AWKWARD);
      t.match(printed, "it's");
      t.match(
        await paste(t, join(up.dir, 'README.md'), shell),
        /echo\tGives back what it got\.\tlocal\/services\/echo/,
      );
    });
  }
});

t.test('AGENTS.md is short, and its commands work', async (t) => {
  const up = await Up.start(t, { manifests: [shellManifest('echo', 'cat')] });
  const file = join(up.dir, 'AGENTS.md');
  t.ok(readFileSync(file, 'utf8').split(/\s+/).length < 400);
  const [lookAround, ...calls] = commandsOf(file);
  t.match(await runShell('sh', lookAround!, { cwd: up.dir }), { status: 0 });
  for (const call of calls)
    t.match(await runShell('sh', call, { cwd: up.service('echo') }), { status: 0, stdout: /"text": "hi"/ });
});

t.test('no guide suggests what never ends', async (t) => {
  const up = await Up.start(t, { bundled: true });
  const { stdout } = await runShell('sh', `grep -rlE 'tail -[a-zA-Z]*f' ${up.dir} --include=README.md`, {
    cwd: '/',
  });
  t.equal(stdout, '');
});

t.test(
  'INDEX.tsv has a line for each service that the session sees, here and through a control plane',
  async (t) => {
    const manifests = [
      shellManifest('tool', 'cat', { help_md: '# Tool\n\nDoes e.g. this. Not that.' }),
      shellManifest('secret', 'cat', { permissions: { allow_roles: ['admin'] } }),
      {
        service_id: 'notes',
        kind: 'notes',
        help_md: 'Text',
        permissions: { allow_roles: ['admin', 'user'] },
      },
    ];
    const [secret, tool] = [
      'secret\t\tN/services/secret/control/invoke.json',
      'tool\tDoes e.g. this.\tN/services/tool/control/invoke.json',
    ];
    const linesIn = (dir: string, node: string): string[] =>
      readFileSync(join(dir, 'nodes/INDEX.tsv'), 'utf8')
        .replaceAll(`${node}/services`, 'N/services')
        .split('\n')
        .slice(0, -1);
    const up = await Up.start(t, { manifests });
    t.same(linesIn(up.dir, 'local'), ['notes\tText\t', secret, tool]);
    const user = await Up.start(t, { manifests, args: ['--role', 'user'] });
    t.same(linesIn(user.dir, 'local'), ['notes\tText\t', tool]);

    const plane = await PlaneProcesses.start(t);
    const admin = await plane.mount('admin');
    plane.node('lab', manifests).start(await inviteThrough(admin));
    await untilOnline(admin, 'lab');
    const mounted = await plane.mount('user');
    t.same(linesIn(mounted, 'lab'), ['notes\tText\t', tool]);
    const { may } = JSON.parse(readFileSync(join(mounted, 'session.json'), 'utf8')) as { may: unknown };
    t.same(may, ['observe', 'invoke', 'mount'], 'session.json says what the mode bits say');
  },
);

t.test('acheron wait waits for the end of a job, prints its result, and fails as it did', async (t) => {
  const gate = join(temporaryDir(t), 'gate');
  const up = await Up.start(t, {
    manifests: [
      shellManifest('held', `until test -e ${gate}; do sleep 0.02; done; echo '{"done":true}'`),
      shellManifest('fail', 'echo broken >&2; exit 3'),
    ],
  });
  const wait = (...args: string[]) => acheron(['wait', ...args, '--state-dir', up.stateDir]);
  await runShell('sh', `echo '{"_key":"k"}' > control/submit.json`, { cwd: up.service('held') });
  const [id] = readdirSync(up.service('held', 'jobs')).filter(
    (name) => name !== 'by-key' && name !== 'latest',
  );
  t.match(await wait(id!, '--timeout', '100ms'), { status: 1, stderr: /not ended yet.*ETIMEDOUT/s });
  const waiting = wait('/nodes/local/services/held/jobs/by-key/k', '--timeout', '1m');
  const alsoWaiting = runShell('sh', 'echo 60 > jobs/latest/wait && cat jobs/latest/result.json', {
    cwd: up.service('held'),
  });
  mkdirSync(gate);
  t.match(await waiting, { status: 0, stdout: /"done": true/ });
  t.match(await alsoWaiting, { status: 0, stdout: /"done": true/ });
  t.match(await wait(id!), { status: 0, stdout: /"done": true/ }, 'and once it has ended');
  await runShell('sh', `echo '{"_key":"f"}' > control/submit.json`, { cwd: up.service('fail') });
  t.match(await wait('/nodes/local/services/fail/jobs/by-key/f'), { status: 1, stdout: '', stderr: /EIO/ });
  t.match(await wait('no-such-job'), { status: 1, stderr: /no job/ });
});
