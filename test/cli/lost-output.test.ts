import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { PROGRAM, Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { shellManifest } from '../support/test-node.js';

interface Ended {
  readonly status: number;
  readonly stderr: string;
}

/** Runs `acheron …` with its output going where the shell says; `status` is the command's own. */
async function into(target: string, args: readonly string[]): Promise<Ended> {
  const script = `set -o pipefail; exec 3>&2; { "$@" 2>&3; echo "status $?" >&3; } ${target}`;
  const child = spawn('bash', ['-c', script, 'sh', process.execPath, PROGRAM, ...args], {
    env: { ...cleanEnvironment(), NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child, 'close');
  const status = Number(/^status (\d+)$/m.exec(stderr)?.[1]);
  return { status, stderr: stderr.replace(/^status \d+\n/m, '') };
}

const FULL = '> /dev/full';
const CLOSED = '| true';

t.jobs = 3;

const up = await Up.start(t, {
  manifests: [
    shellManifest('big', `cat >/dev/null; head -c 300000 /dev/zero | tr '\\0' x | sed 's/.*/{"x":"&"}/'`),
    shellManifest('fail', 'cat >/dev/null; exit 3'),
  ],
});
const here = ['--state-dir', up.stateDir];

const COMMANDS: string[][] = [
  ['ls', '/nodes/local/services', ...here],
  ['cat', '/nodes/local/services/big/TEMPLATE.json', ...here],
  ['completion', 'bash'],
  ['validate', up.manifests],
  ['--help'],
];

for (const args of COMMANDS)
  t.test(
    `acheron ${args[0]!} whose output cannot be written ends with a sentence, not with a stack`,
    async (t) => {
      const full = await into(FULL, args);
      t.equal(full.status, 1, full.stderr);
      t.match(full.stderr, /^acheron: The output cannot be written: its disk is full\. \(ENOSPC\)\n$/);
      const closed = await into(CLOSED, args);
      t.ok(
        [0, 141].includes(closed.status),
        `${closed.status}: it may have been done before the pipe was closed`,
      );
      t.equal(closed.stderr, '');
    },
  );

t.test('the status of acheron invoke is that of the outcome, wherever its output goes', async (t) => {
  for (const target of [FULL, CLOSED]) {
    const good = await into(target, ['invoke', 'big', '{}', ...here]);
    t.equal(good.status, 0, `${target}: ${good.stderr}`);
    t.notMatch(good.stderr, /\n {4}at /);
    t.equal((await into(target, ['invoke', 'fail', '{}', ...here])).status, 1, target);
  }
});
