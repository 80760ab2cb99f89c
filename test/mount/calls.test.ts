import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { PlaneProcesses, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { SHELLS, lacks, runShell, type ShellResult } from '../support/shells.js';
import { shellManifest } from '../support/test-node.js';

t.setTimeout(240_000);

const MANIFEST = shellManifest('tool', 'cat', {
  schema: { input: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } } },
});

const PYTHON = `
import json, os, tempfile
with tempfile.NamedTemporaryFile("w", dir=".", prefix=".", delete=False) as f:
    json.dump({"n": 7}, f)
os.replace(f.name, "python.json")
`;

const WRITERS: readonly (readonly [string, string, number, string | null])[] = [
  ['echo', `echo '{"n": 1}' > echo.json`, 1, null],
  ['cp', `echo '{"n": 2}' > x && cp x cp.json && rm x`, 2, null],
  ['mv', `echo '{"n": 3}' > x && mv x mv.json`, 3, null],
  ['parts', `{ echo '{"n":'; sleep 0.1; echo 4; echo '}'; } > parts.json`, 4, null],
  ['python', `python3 -c '${PYTHON}'`, 7, 'python3'],
  [
    'sed',
    `echo '{"n": "x"}' > sed.json; grep -q EINVAL sed.error.txt && sed -i 's/"x"/5/' sed.json`,
    5,
    null,
  ],
  ['vim', `vim -u NONE -n -es -c 'call setline(1, "{\\"n\\": 6}")' -c 'wq' vim.json`, 6, 'vim'],
  ['vim-swap', `vim -u NONE -es -c 'call setline(1, "{\\"n\\": 8}")' -c 'wq' vim-swap.json`, 8, 'vim'],
];

async function callsAreMade(t: Test, dir: string): Promise<void> {
  const run = (script: string): Promise<ShellResult> => runShell('bash', script, { cwd: join(dir, 'calls') });
  for (const [name, script, n, program] of WRITERS) {
    await t.test(name, { skip: program !== null && lacks(program) }, async (t) => {
      const { status, stdout, stderr } = await run(script);
      t.equal(status, 0, `${stdout}${stderr}`);
      const waited = await run(`echo 60 > ../jobs/by-key/${name}/wait && cat ${name}.result.json`);
      t.same(JSON.parse(waited.stdout || 'null'), { n }, waited.stderr);
    });
  }
  const left = (await run('ls -A')).stdout
    .split('\n')
    .filter((name) => name !== '' && !/\.(result\.)?json$/.test(name));
  t.same(left, [], 'no temporary file is left');
  t.match(await run('rm -- * && ls -A'), { status: 0, stdout: '' });
}

t.test('programs that write a temporary file and rename it can call', async (t) => {
  const up = await Up.start(t, { manifests: [MANIFEST] });
  await callsAreMade(t, up.service('tool'));
});

t.test('and so they can through a control plane', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const admin = await plane.mount('admin');
  plane.node('lab', [MANIFEST]).start(await inviteThrough(admin));
  await untilOnline(admin, 'lab');
  await callsAreMade(t, join(await plane.mount('user'), 'nodes/lab/services/tool'));
});

t.test('an outcome in calls/ is never half there, however many look while it comes', async (t) => {
  const text = 'x'.repeat(300_000);
  const up = await Up.start(t, {
    manifests: [shellManifest('big', `echo '{"text":"${text.slice(0, 60_000)}"}'`)],
  });
  const calls = up.service('big', 'calls');
  const looking = runShell(
    'bash',
    `for i in $(seq 30); do for f in *.result.json; do test -e "$f" && { tail -c 2 "$f" | grep -q '}' || echo "half: $f"; }; done; done`,
    { cwd: calls, timeoutMs: 60_000 },
  );
  for (let i = 0; i < 20; i++)
    t.match(await runShell('sh', `echo '{}' > c${i}.json`, { cwd: calls }), { status: 0, stderr: '' });
  t.match(await looking, { stdout: '', timedOut: false });
  await runShell('sh', 'echo 60 > ../jobs/latest/wait', { cwd: calls });
  t.equal(readdirSync(calls).filter((name) => name.endsWith('.result.json')).length, 20);
  t.equal(JSON.parse(readFileSync(join(calls, 'c0.result.json'), 'utf8')).text.length, 60_000);
});

t.test('each shell sees in the exit status of mv that a request was refused', async (t) => {
  const up = await Up.start(t, { manifests: [MANIFEST] });
  for (const shell of SHELLS) {
    await t.test(shell, { skip: lacks(shell) }, async (t) => {
      const { status } = await runShell(shell, `echo '{"n": "${shell}"}' > x; mv x ${shell}.json`, {
        cwd: up.service('tool', 'calls'),
      });
      t.not(status, 0);
      t.match(
        readFileSync(up.service('tool', `calls/${shell}.error.txt`), 'utf8'),
        /"\/n" expected an integer/,
      );
    });
  }
});
