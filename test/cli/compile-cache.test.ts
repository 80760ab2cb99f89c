import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROGRAM } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';

// `npm test` installs these.
const nodes = join(import.meta.dirname, '../../../test/nodes/node_modules');

function run(execPath: string, cache: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(execPath, [PROGRAM, 'ls', '--help'], {
    env: { ...cleanEnvironment(), XDG_CACHE_HOME: cache },
    encoding: 'utf8',
  });
}

for (const release of ['22', '24']) {
  const execPath = join(nodes, `node-${release}/bin/node`);
  const skip = existsSync(execPath) ? false : `${execPath} is missing: npm ci in test/nodes`;

  t.test(`Node ${release} keeps compiled modules where only we can write`, { skip }, (t) => {
    const cache = temporaryDir(t);
    t.match(run(execPath, cache), { status: 0, stdout: /^Usage: acheron ls/, stderr: /^$/ });
    const dir = join(cache, 'acheron/compiled');
    t.equal(statSync(dir).mode & 0o777, 0o700);
    const [kept = ''] = readdirSync(dir);
    t.ok(readdirSync(join(dir, kept)).length > 5, 'what the command loaded is there');
    t.match(run(execPath, cache), { status: 0, stdout: /^Usage: acheron ls/, stderr: /^$/ });
    t.end();
  });

  t.test(`Node ${release} keeps nothing where others could write, and runs`, { skip }, (t) => {
    const cache = temporaryDir(t);
    const dir = join(cache, 'acheron/compiled');
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o777);
    t.match(run(execPath, cache), { status: 0, stdout: /^Usage: acheron ls/, stderr: /^$/ });
    t.same(readdirSync(dir), []);
    t.end();
  });
}
