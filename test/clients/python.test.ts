import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { CLIENT_MANIFESTS } from '../suites/client-suite.js';

const client = resolve(import.meta.dirname, '../../../clients/python');
const version = spawnSync('python3', ['-c', 'import sys; print(sys.version_info >= (3, 9))'], {
  encoding: 'utf8',
});

t.setTimeout(240_000);

t.test(
  'the Python client does over a mount what it promises',
  { skip: version.stdout.trim() === 'True' ? false : 'there is no python3 of 3.9 or later' },
  async (t) => {
    const drop = temporaryDir(t);
    chmodSync(drop, 0o777);
    const say = shellManifest(
      'say',
      `cat > /dev/null; echo first >&2; echo '::progress {"done": 1, "total": 2}' >&2; echo last >&2; echo '{"done": true}'`,
    );
    const up = await Up.start(t, {
      manifests: [...CLIENT_MANIFESTS, say],
      args: ['--export', `drop=${drop}:rw`],
    });
    const python = spawn('python3', ['-B', '-m', 'unittest', 'discover', '-v', '-s', join(client, 'tests')], {
      cwd: client,
      env: { ...cleanEnvironment(), ACHERON_MOUNT: up.dir },
    });
    let said = '';
    for (const stream of [python.stdout, python.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [status] = (await once(python, 'close')) as [number | null];
    t.equal(status, 0, said);
    t.match(said, /Ran 9 tests/);
    t.equal(await up.stop(), 0);
  },
);
