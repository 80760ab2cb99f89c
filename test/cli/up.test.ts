import { writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { inspectMountpoint } from '../../lib/fuse/index.js';
import { Up, acheron } from '../support/acheron.js';
import { runShell } from '../support/shells.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const CAT = shellManifest('cat', 'cat');
const SLOW = shellManifest('slow', 'cat >/dev/null; echo began >&2; sleep 60; echo "{}"');

const mountState = async (dir: string): Promise<string> => (await inspectMountpoint(dir)).state;

// Starting takes a second of both processors: what changes nothing for others is asked of one that runs.
const running = await Up.start(t, {
  manifests: [CAT, SLOW, shellManifest('fail', 'cat >/dev/null; echo oops >&2; exit 3')],
});

t.test('SIGTERM and SIGINT unmount, and the status is 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const up = await Up.start(t, { manifests: [CAT] });
    up.child.kill(signal);
    t.equal(await up.ended, 0, signal);
    t.equal(await mountState(up.dir), 'free');
  }
});

t.test('what it suggests to type is there, with the bundled services and without', async (t) => {
  t.match(running.printed, /INDEX\.tsv/);
  t.notMatch(running.printed, /echo/);
  const bundled = await Up.start(t, { bundled: true });
  const commands = [...bundled.printed.matchAll(/^ {2}(.+)$/gm)].map(([, command]) => command!);
  t.ok(commands.length > 3);
  for (const command of commands)
    t.match(await runShell('sh', command, { cwd: '/' }), { status: 0 }, command);
});

t.test('unmounting from outside ends the process cleanly', async (t) => {
  const up = await Up.start(t, { manifests: [CAT] });
  t.match(await acheron(['unmount', up.dir]), { status: 0, stdout: /Unmounted/ });
  t.equal(await up.ended, 0);
  t.match(await acheron(['unmount', up.dir]), { status: 0, stdout: /Nothing is mounted/ });
});

t.test('mounting a mounted directory again is no error and changes nothing', async (t) => {
  t.match(await acheron(['up', running.dir, '--state-dir', running.stateDir]), {
    status: 0,
    stdout: /mounted already/,
  });
  t.equal(running.child.exitCode, null);
  t.match(await readFile(running.service('cat', 'TEMPLATE.json'), 'utf8'), '{}');
});

t.test('what kill -9 leaves is mended by the next start, state kept [P]', async (t) => {
  const up = await Up.start(t, { manifests: [CAT] });
  t.match(await acheron(['invoke', 'cat', '{"a":1}', '--state-dir', up.stateDir]), {
    status: 0,
    stdout: '{\n  "a": 1\n}\n',
  });
  up.child.kill('SIGKILL');
  await up.ended;
  const again = await Up.start(t, { dir: up.dir, stateDir: up.stateDir });
  t.equal(await readFile(again.service('cat', 'result.json'), 'utf8'), '{\n  "a": 1\n}\n');
});

t.test('a second node on the same state is refused, and says what to do', async (t) => {
  const second = await acheron(['node', '--state-dir', running.stateDir]);
  t.equal(second.status, 1);
  t.match(second.stderr, /Another node is using the state file/);
  t.match(second.stderr, /--state-dir/);
});

t.test('a service id given twice refuses the start, naming both sources [P]', async (t) => {
  const dir = temporaryDir(t);
  const other = join(dir, 'other.json');
  writeFileSync(other, JSON.stringify(CAT));
  const from = ['--services-dir', running.manifests, '--service-manifest', other];
  const twice = await acheron(['node', '--state-dir', join(dir, 'state'), ...from]);
  t.equal(twice.status, 1);
  t.match(twice.stderr, /other\.json/);
  t.match(twice.stderr, /cat\.json/);
});

t.test('acheron invoke passes stderr on as it comes, and its status is the outcome', async (t) => {
  const up = running;
  const failed = await acheron(['invoke', 'fail', '{}', '--state-dir', up.stateDir]);
  t.equal(failed.status, 1);
  t.match(failed.stderr, /oops\n[^]*EIO: /);
  t.match(await acheron(['invoke', 'nothing', '{}', '--state-dir', up.stateDir]), {
    status: 1,
    stderr: /There is no service/,
  });
  t.match(await acheron(['cat', '/nodes/local/services/cat/TEMPLATE.json', '--state-dir', up.stateDir]), {
    status: 0,
    stdout: '{}\n',
  });
  const listed = await acheron(['ls', '/nodes/local/services', '--json', '--state-dir', up.stateDir]);
  t.match(
    (JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name),
    ['SERVICES.json', 'cat', 'fail', 'slow'],
  );
});

t.test('a mount as user shows no control tree, and no write bit on controls', async (t) => {
  const up = await Up.start(t, { manifests: [CAT], args: ['--role', 'user', '--agent', 'a1'] });
  t.match(JSON.parse(await readFile(join(up.dir, 'session.json'), 'utf8')), { role: 'user', agent_id: 'a1' });
  await t.rejects(readFile(join(up.dir, 'control', 'audit.ndjson')), { code: 'ENOENT' });
  await t.rejects(writeFile(up.service('cat', 'control/disable'), '1'), { code: 'EACCES' });
  await writeFile(up.service('cat', 'control/invoke.json'), '{"b":2}');
  t.equal(await readFile(up.service('cat', 'result.json'), 'utf8'), '{\n  "b": 2\n}\n');
});

t.test('a manifest that is saved anew is in the mount within moments, its state carried over', async (t) => {
  const up = running;
  await writeFile(up.service('cat', 'config.json'), '{"kept":true}');
  const readme = (): Promise<string> => readFile(up.service('cat', 'README.md'), 'utf8');
  await readme();
  const begun = performance.now();
  writeFileSync(join(up.manifests, 'cat.json'), JSON.stringify({ ...CAT, help_md: '# A new text' }));
  await until(async () => (await readme()).startsWith('# A new text'), 'the new text');
  t.comment(`visible after ${Math.round(performance.now() - begun)} ms`);
  t.match(JSON.parse(await readFile(up.service('cat', 'config.json'), 'utf8')), { kept: true });
  writeFileSync(join(up.manifests, 'cat.json'), '{ not json');
  await until(
    async () => (await readFile(join(up.dir, 'control/nodes/local/reload.json'), 'utf8')).includes('"line"'),
    'the fault',
  );
  t.match(await readme(), /^# A new text/, 'the last good one keeps running');
});

t.test('wrong options exit with 2 and say what is wrong', async (t) => {
  for (const command of [['up', './mnt'], ['control'], ['doctor']])
    t.match(await acheron([...command, '--port', '99999']), { status: 2, stderr: /from 0 to 65535/ });
  t.match(await acheron(['up', '--role', 'king']), { status: 2, stderr: /Allowed choices are admin, user/ });
  t.match(await acheron(['uo']), { status: 2 });
  const doctor = await acheron(['doctor', '--json', '--state-dir', running.stateDir]);
  t.match(
    (JSON.parse(doctor.stdout) as { check: string }[]).map(({ check }) => check),
    ['versions', 'device', 'fusermount'],
  );
});
