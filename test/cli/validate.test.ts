import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { folderOf, manifest } from '../registry/support.js';

const command = join(import.meta.dirname, '../../lib/cli/commands/validate.js');

function validate(
  cwd: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const code = `import(${JSON.stringify(command)}).then((m) => m.validateCommand().parseAsync(process.argv.slice(1), { from: 'user' }))`;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['-e', code, '--', ...args],
      { cwd, env: { PATH: process.env['PATH'], ...env } },
      (_error, stdout, stderr) => resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

t.test('validate says everything that is wrong, by file, line and column, and exits 1', async (t) => {
  const folder = folderOf(t, {
    'good.json': manifest('good'),
    'bad.json': '{\n  "service_id": "a b",\n  "kind": "x",\n  "colour": 1\n}\n',
    'broken.json': '{ "service_id": "x",, }',
    'rival.json': manifest('good'),
  });
  const { status, stdout } = await validate(folder, ['good.json', 'bad.json', 'broken.json', 'rival.json']);
  t.equal(status, 1);
  t.match(stdout, /^bad\.json:2:17: error: "service_id" must be 1 to 128 of the characters/m);
  t.match(stdout, /^bad\.json:4:3: warning: "colour" is not a field of a manifest/m);
  t.match(stdout, /^broken\.json:1:21: error: .*\n {4}\S/m);
  t.match(
    stdout,
    /^rival\.json:1:\d+: error: The service "good" exists already: it comes from .*good\.json\./m,
  );
  t.match(stdout, /^4 manifests, \d+ errors, \d+ warnings?$/m);
  t.notOk(stdout.includes('\u001b'));
});

t.test(
  'validate exits 0 for a good folder, 1 with JSON for a bad one, 2 for what is not there',
  async (t) => {
    const folder = folderOf(t, {
      'a.json': manifest('a', { mounts: [{ mount_path: '/nodes/{node_id}/a' }] }),
    });
    t.match(await validate(folder, ['.']), { status: 0, stdout: /1 manifest, 0 errors, \d+ warnings?\n/ });
    writeFileSync(join(folder, 'b.json'), '[]');
    const { status, stdout } = await validate(folder, ['--json', '--node-id', 'zeta', '.']);
    t.equal(status, 1);
    t.match(JSON.parse(stdout), {
      ok: false,
      files: [
        { file: 'a.json', ok: true, service_id: 'a', faults: [] },
        { file: 'b.json', ok: false, faults: [{ line: 1, column: 1, got: '[]', expected: 'an object' }] },
      ],
    });
    t.match(await validate(folder, ['none.json']), {
      status: 2,
      stderr: /none\.json: There is no such file/,
    });
    t.match(await validate(folder, ['--node-id', 'a/b', '.']), { status: 2, stderr: /not a valid name/ });
  },
);

t.test('validate warns of what a node would refuse because others may write to it', async (t) => {
  const folder = folderOf(t, { 'a.json': manifest('a') });
  chmodSync(join(folder, 'a.json'), 0o666);
  const { status, stdout } = await validate(folder, ['a.json'], { FORCE_COLOR: '1' });
  t.equal(status, 0);
  t.match(stdout, /A node would refuse this: .*a\.json may be written by every user/);
  t.ok(stdout.includes('\u001b['));
  const plain = await validate(folder, ['a.json'], { NO_COLOR: '1' });
  t.notOk(plain.stdout.includes('\u001b'));
});
