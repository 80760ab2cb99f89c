import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { wholeProgram } from '../../lib/cli/index.js';
import { completionText } from '../../lib/cli/completion/complete.js';
import { payloadCandidates } from '../../lib/cli/completion/payload-candidates.js';
import { acheron, PROGRAM, Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { Pty } from '../support/pty.js';
import { lacks } from '../support/shells.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.setTimeout(180_000);

const PAINT = shellManifest('paint', 'cat', {
  help_md: 'Paints a wall.',
  schema: {
    input: {
      type: 'object',
      properties: {
        colour: { enum: ['red', 'green'], description: 'Of the wall.' },
        twice: { type: 'boolean' },
        walls: { type: 'array', items: { enum: ['north', 'south'] } },
        size: { type: 'object', properties: { width: { type: 'integer' } } },
      },
      required: ['twice'],
    },
  },
});

const exported = temporaryDir(t);
chmodSync(exported, 0o755);
writeFileSync(join(exported, 'plain.txt'), '');
writeFileSync(join(exported, 'bad\u001b]0;title\u0007.txt'), '');
const up = await Up.start(t, {
  manifests: [PAINT, shellManifest('park', 'cat')],
  control: true,
  args: ['--port', '0', '--export', `things=${exported}`],
});
const listens = (): string | undefined => /listens on (ws:\S+)\./.exec(up.printed)?.[1];
await until(() => listens() !== undefined, 'the control plane', 60_000);
const url = listens()!;
const here = ['--state-dir', up.stateDir];

/** What is offered for the words, the last of them at the cursor. */
async function offered(...words: string[]): Promise<string[]> {
  const never = new AbortController().signal;
  const [kind = '', ...lines] = (await completionText(words, wholeProgram, never)).trimEnd().split('\n');
  return kind === 'words' ? lines.map((line) => line.split('\t')[0]!) : [kind];
}

t.test('commands, subcommands, topics, options, and what these may be', async (t) => {
  t.same(await offered('tok'), ['token']);
  t.same(await offered('token', ''), ['create', 'list', 'revoke', 'rotate']);
  t.same(await offered('project', 'token', 're'), ['revoke']);
  t.same(await offered('help', 'man'), ['manifest']);
  t.same(await offered('help', 'mou'), ['mount', 'mount-helper']);
  t.same(await offered('token', 'create', '--ro'), ['--role']);
  t.same(await offered('token', 'create', '--role', ''), ['user', 'admin']);
  t.same(await offered('token', 'create', '--role=a'), ['--role=admin']);
  t.same(await offered('token', 'create', '--role', 'user', '--ro'), [], 'once is enough');
  t.same(await offered('token', 'create', '--project', 'x', '--pro'), ['--project'], 'it may be repeated');
  t.same(await offered('ls', '--color=a'), ['--color=always', '--color=auto']);
  t.same(await offered('completion', 'f'), ['fish']);
  t.same(await offered('explain', 'paint', 'in'), ['invoke']);
  t.same(await offered('validate', ''), ['files']);
  t.same(await offered('mount', ''), ['dirs']);
  t.same(await offered('ls', '--token-file='), ['files']);
  t.same(await offered('nonsense', ''), []);
});

t.test('services, paths, jobs, and keys of a request, as the node of this machine has them', async (t) => {
  t.same(await offered('invoke', ...here, 'pa'), ['paint', 'park']);
  t.same(await offered('invoke', ...here, 'local/pa'), ['local/paint', 'local/park']);
  t.same(await offered('history', ...here, 'local/par'), ['local/park']);
  t.same(await offered('ls', ...here, '/nodes/local/s'), ['/nodes/local/services/']);
  t.same(
    await offered('cat', ...here, '/nodes/local/fs/things/'),
    ['/nodes/local/fs/things/plain.txt'],
    'no bytes that act',
  );
  t.same(await offered('invoke', ...here, 'paint', ''), ['twice=', 'colour=', 'walls[]=', 'size[']);
  t.same(await offered('invoke', ...here, 'paint', 'twice=true', 't'), []);
  t.same(await offered('invoke', ...here, 'paint', 'colour='), ['colour=red', 'colour=green']);
  const job = (await acheron(['invoke', 'park', '{}', ...here])).status;
  t.equal(job, 0);
  const [id, ...others] = await offered('wait', ...here, '');
  t.match(id, /^[\w-]{20,}$/);
  t.same(others, []);
});

t.test('what a control plane has, by the address and the token that were typed', async (t) => {
  const asAdmin = ['--control-url', url, '--token-file', join(up.stateDir, 'admin.token')];
  const asUser = ['--control-url', url, '--token-file', join(up.stateDir, 'user.token')];
  t.equal((await acheron(['project', 'create', 'web', ...asAdmin])).status, 0);
  t.same(await offered('project', 'get', ...asAdmin, ''), ['web']);
  t.same(await offered('mount', ...asAdmin, '--project', 'w'), ['web']);
  t.same(await offered('nodes', 'get', ...asAdmin, ''), ['local']);
  t.same(await offered('explain', ...asAdmin, 'local/pai'), ['local/paint']);
  t.equal((await offered('token', 'revoke', ...asAdmin, '')).length, 2);
  t.same(await offered('token', 'revoke', ...asUser, ''), [], 'a user may not know them');
  t.same(await offered('invoke', ...asUser, 'paint', 'tw'), ['twice=']);
  t.same(await offered('invoke', '--control-url', url, '--token-file', '/nonexistent', 'pa'), []);
});

t.test('keys of a request: nested, of lists, of files, and without a schema', async (t) => {
  const input = {
    type: 'object',
    properties: {
      photo: { type: 'object', properties: { filename: {}, base64: {} } },
      where: { $ref: '#/$defs/place' },
      extra: { type: 'object' },
    },
    $defs: { place: { type: 'object', properties: { town: { const: 'Ulm' }, exact: { type: 'boolean' } } } },
  };
  const values = (current: string, ...items: string[]): string[] =>
    payloadCandidates(input, null, items, current).map(({ value }) => value);
  t.same(values(''), ['photo@', 'where[', 'extra:=']);
  t.same(values('where['), ['where[town]=', 'where[exact]=']);
  t.same(values('where[town]:='), ['where[town]:="Ulm"']);
  t.same(values('where[exact]='), ['where[exact]=true', 'where[exact]=false']);
  t.same(values('', 'where[town]=Ulm'), ['photo@', 'where[', 'extra:='], 'an object has more than one part');
  t.ok(values(`photo@${exported}/`).includes(`photo@${exported}/plain.txt`));
  t.same(payloadCandidates(null, { text: 'hi' }, [], ''), [{ value: 'text=' }]);
});

t.test('a control plane that never answers: nothing is offered, nothing said, and soon', async (t) => {
  const sockets = new Set<Socket>();
  const deaf = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    deaf.close();
  });
  const { port } = deaf.address() as AddressInfo;
  const started = performance.now();
  const address = [
    '--control-url',
    `ws://127.0.0.1:${port}`,
    '--token-file',
    join(up.stateDir, 'user.token'),
  ];
  const { stdout, stderr, status } = await acheron(['__complete', '--', 'invoke', ...address, '']);
  t.same({ stdout, stderr, status }, { stdout: 'words\n', stderr: '', status: 0 });
  t.ok(performance.now() - started < 9000, 'before a connection would be given up');
});

/** The environment of a shell that finds this program, and what a test has installed. */
function shellEnv(t: Test): { home: string; env: NodeJS.ProcessEnv } {
  const home = temporaryDir(t);
  mkdirSync(join(home, 'bin'));
  symlinkSync(PROGRAM, join(home, 'bin/acheron'));
  const path = [join(home, 'bin'), process.env.PATH].join(delimiter);
  const env = {
    ...cleanEnvironment(),
    PATH: path,
    HOME: home,
    ACHERON_STATE_DIR: up.stateDir,
    PS1: '> ',
    ACHERON_COMPLETION_MS: '20000',
  };
  return { home, env: { ...env, XDG_CACHE_HOME: join(home, 'cache') } };
}

/** Types a line and a tab, waits until it is completed, and takes it back. */
async function completes(pty: Pty, typed: string, whole: string): Promise<void> {
  const before = pty.written.length;
  const line = (): string => pty.shown.slice(before).replace(/␛\[[0-9;?]*[A-Za-z]|\p{Cc}/gu, '');
  pty.type(typed);
  await pty.when(() => line().includes(typed), `${typed} is shown`);
  pty.type('\t');
  await pty.when(() => line().includes(whole), whole);
  pty.type('\u0015');
}

const LINES: readonly (readonly [string, string])[] = [
  ['acheron token create --role=a', 'acheron token create --role=admin '],
  ['acheron invoke paint colo', 'acheron invoke paint colour='],
  ['acheron invoke paint colour=r', 'acheron invoke paint colour=red '],
  ['acheron cat /nodes/loc', 'acheron cat /nodes/local/'],
  ['acheron validate pla', 'acheron validate plain.txt '],
];

t.test('bash completes what is typed at its prompt', { skip: lacks('python3') }, async (t) => {
  const { home, env } = shellEnv(t);
  const { stdout } = await acheron(['completion', 'install', 'bash'], { env });
  const [, script = ''] = /^wrote (.+)$/m.exec(stdout) ?? [];
  const program = ['bash', '--norc', '--noprofile', '-i'];
  const pty = new Pty(t, [], { program, cwd: exported, columns: 200, env });
  pty.type(`source ${script}; complete -p acheron\n`);
  await pty.until(/complete -F _acheron acheron\r/);
  for (const [typed, whole] of LINES) await completes(pty, typed, whole);
  pty.type('exit\n');
  t.equal(await pty.ended(), 0);
  t.ok(script.startsWith(home));
});

t.test('zsh completes what is typed at its prompt', { skip: lacks('python3') || lacks('zsh') }, async (t) => {
  const { env } = shellEnv(t);
  const { stdout } = await acheron(['completion', 'install', 'zsh'], { env });
  const [advice = ''] = /^ {2}fpath=[^]*/m.exec(stdout) ?? [];
  const pty = new Pty(t, [], { program: ['zsh', '-f', '-i'], cwd: exported, columns: 200, env });
  // As root it asks about directories of others.
  pty.type(
    `${advice
      .trim()
      .replaceAll(/\n\s*/g, '; ')
      .replace(/compinit$/, 'compinit -u -D')}; echo rea''dy\n`,
  );
  await pty.until(/ready\r/);
  for (const [typed, whole] of LINES) await completes(pty, typed, whole);
  pty.type('exit\n');
  t.equal(await pty.ended(), 0);
});

t.test('fish completes, and says what is what', { skip: lacks('fish') }, async (t) => {
  const { env } = shellEnv(t);
  t.equal((await acheron(['completion', 'install', 'fish'], { env })).status, 0);
  const lines = LINES.map(([typed]) => `complete -C '${typed}'; echo ==`).join('\n');
  const want = [
    ['--role=admin'],
    ['colour=\tOf the wall.'],
    ['colour=red'],
    ['/nodes/local/'],
    ['plain.txt'],
  ];
  const { stdout } = await promisify(execFile)('fish', ['-c', lines], { env, cwd: exported });
  const said = stdout
    .split('==\n')
    .slice(0, -1)
    .map((part) => part.trimEnd().split('\n'));
  t.same(said, want);
});

t.test('install says what it did, does it once, and leaves files of others alone', async (t) => {
  const { home, env } = shellEnv(t);
  const run = (...args: string[]): ReturnType<typeof acheron> =>
    acheron(['completion', ...args], { env: { ...env, SHELL: '/usr/bin/fish' } });
  const path = join(home, '.config/fish/completions/acheron.fish');
  t.match((await run('install')).stdout, `wrote ${path}\n`);
  t.match((await run('install')).stdout, `unchanged: ${path}\n`);
  t.equal((await run('uninstall')).stdout, `removed ${path}\n`);
  t.equal((await run('uninstall')).stdout, `There is no ${path}.\n`);
  writeFileSync(path, '# my own\n');
  for (const what of ['install', 'uninstall']) {
    const { stderr, status } = await run(what);
    t.equal(status, 1);
    t.match(stderr, /is not from acheron completion\. Nothing was changed\. \(EEXIST\)\nMove it away/);
  }
  t.equal(readFileSync(path, 'utf8'), '# my own\n');
  rmSync(path);
  const unknown = await acheron(['completion', 'install'], { env: { ...env, SHELL: '/bin/dash' } });
  t.match(
    unknown.stderr,
    /it is not dash\. \(EINVAL\)\nName one: acheron completion install bash\|zsh\|fish/,
  );
});
