import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROGRAM } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';

// `npm test` installs these.
const nodes = join(import.meta.dirname, '../../../test/nodes/node_modules');

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(execPath: string, cache: string, command = 'up'): Ran {
  return spawnSync(execPath, [PROGRAM, command, '--help'], {
    env: { ...cleanEnvironment(), XDG_CACHE_HOME: cache },
    encoding: 'utf8',
  });
}

for (const release of ['22', '24']) {
  const execPath = join(nodes, `node-${release}/bin/node`);
  const skip = existsSync(execPath) ? false : `${execPath} is missing: npm ci in test/nodes`;

  t.test(`Node ${release} keeps compiled modules where only we can write`, { skip }, (t) => {
    const cache = temporaryDir(t);
    t.match(run(execPath, cache), { status: 0, stdout: /^Usage: acheron up/, stderr: /^$/ });
    const dir = join(cache, 'acheron/compiled');
    t.equal(statSync(dir).mode & 0o777, 0o700);
    const [kept = ''] = readdirSync(dir);
    t.ok(readdirSync(join(dir, kept)).length > 5, 'what the command loaded is there');
    t.match(run(execPath, cache), { status: 0, stdout: /^Usage: acheron up/, stderr: /^$/ });
    t.end();
  });

  t.test(`Node ${release} keeps nothing where others could write, and runs`, { skip }, (t) => {
    const cache = temporaryDir(t);
    const dir = join(cache, 'acheron/compiled');
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o777);
    t.match(run(execPath, cache), { status: 0, stdout: /^Usage: acheron up/, stderr: /^$/ });
    t.same(readdirSync(dir), []);
    t.end();
  });
}

const listed = { status: 0, stdout: /^Usage: acheron ls/, stderr: /^$/ };

t.test('a command that asks and ends keeps its compiled code where only we can write, and uses it', (t) => {
  const cache = temporaryDir(t);
  const dir = join(cache, 'acheron/compiled');
  t.match(run(process.execPath, cache, 'ls'), listed);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  const [kept = '', ...more] = readdirSync(dir);
  t.match(kept, /^ls-program-.*\.v8$/);
  t.same(more, []);
  const first = statSync(join(dir, kept));
  t.match(run(process.execPath, cache, 'ls'), listed);
  t.equal(statSync(join(dir, kept)).ino, first.ino, 'it was good, and is not made again');

  writeFileSync(join(dir, kept), 'rubbish');
  t.match(run(process.execPath, cache, 'ls'), listed, 'what is damaged is not used');
  t.ok(statSync(join(dir, kept)).size > 100_000, 'and made anew');
  t.end();
});

t.test('compiled code is not kept where others could write, and not without end', (t) => {
  const cache = temporaryDir(t);
  const dir = join(cache, 'acheron/compiled');
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o777);
  t.match(run(process.execPath, cache, 'ls'), listed);
  t.same(readdirSync(dir), []);

  chmodSync(dir, 0o700);
  for (let n = 1; n <= 40; n++) {
    const old = join(dir, `ls-program-${n}.cjs.v8`);
    writeFileSync(old, 'of an earlier release');
    utimesSync(old, n, n);
  }
  t.match(run(process.execPath, cache, 'ls'), listed);
  const left = readdirSync(dir);
  t.equal(left.length, 32);
  t.ok(left.includes('ls-program-40.cjs.v8') && !left.includes('ls-program-1.cjs.v8'), 'the oldest are gone');
  t.ok(left.some((name) => readFileSync(join(dir, name)).length > 100_000));
  t.end();
});
