import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { until } from '../support/until.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { CLIENT_MANIFESTS } from '../suites/client-suite.js';

const client = resolve(import.meta.dirname, '../../../clients/python');
/** Debian's packages are for Debian's own Python. */
const PYTHONS = ['python3', '/usr/bin/python3'];

/** A Python of 3.9 or later that has this module. */
const pythonWith = (module: string): string | undefined =>
  PYTHONS.find(
    (python) =>
      spawnSync(python, ['-c', `import sys, ${module}; sys.exit(sys.version_info < (3, 9))`]).status === 0,
  );

const plain = pythonWith('json');
const withSockets = pythonWith('websockets');

t.setTimeout(240_000);

const SAY = shellManifest(
  'say',
  `cat > /dev/null; echo first >&2; echo '::progress {"done": 1, "total": 2}' >&2; echo last >&2; echo '{"done": true}'`,
);
const drop = temporaryDir(t);
chmodSync(drop, 0o777);
const up = await Up.start(t, {
  manifests: [...CLIENT_MANIFESTS, SAY],
  control: true,
  args: ['--port', '0', '--export', `drop=${drop}:rw`],
});

async function runTests(t: Test, python: string, pattern: string, env: NodeJS.ProcessEnv): Promise<void> {
  const run = spawn(
    python,
    ['-B', '-W', 'error', '-m', 'unittest', 'discover', '-v', '-p', pattern, '-s', join(client, 'tests')],
    { cwd: client, env: { ...cleanEnvironment(), ...env } },
  );
  let said = '';
  for (const stream of [run.stdout, run.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(run, 'close')) as [number | null];
  t.equal(status, 0, said);
  t.match(said, /Ran \d+ tests/);
  t.notMatch(said, /skipped|Ran 0/);
}

t.test(
  'the Python client does over a mount what it promises',
  { skip: plain === undefined ? 'there is no python3 of 3.9 or later' : false },
  (t) => runTests(t, plain!, 'test_acheron.py', { ACHERON_MOUNT: up.dir }),
);

t.test(
  'it does the same over a control plane, and stays connected',
  { skip: withSockets === undefined ? 'there is no python3 with websockets' : false },
  async (t) => {
    const listens = (): string | undefined => /listens on (ws:\S+)\./.exec(up.printed)?.[1];
    await until(() => listens() !== undefined, 'the control plane', 60_000);
    const token = readFileSync(join(up.stateDir, 'admin.token'), 'utf8').trim();
    await runTests(t, withSockets!, 'test_*.py', { ACHERON_CONTROL_URL: listens(), ACHERON_TOKEN: token });
  },
);
