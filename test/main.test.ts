import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LONG, LONG_FIRST } from './schedule.js';
import { cleanEnvironment } from './support/mount-child.js';
import { temporaryDir } from './support/test-node.js';

const MAIN = join(import.meta.dirname, 'main.js');
const TAP = import.meta.resolve('tap');

/** Runs test files with these contents as `npm test` does. */
function run(
  t: Parameters<typeof temporaryDir>[0],
  contents: readonly string[],
  args: readonly string[] = [],
) {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, 'tests'));
  const files = contents.map((content, index) => {
    const file = join(dir, 'tests', `${index}.test.mjs`);
    writeFileSync(file, `import t from ${JSON.stringify(TAP)};\n${content}\n`);
    return file;
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args, ...files], {
    encoding: 'utf8',
    env: cleanEnvironment(),
  });
  return { status, stdout, stderr };
}

const GOOD = "t.test('good', async (t) => { t.pass('fine'); });";
const BAD = "t.test('bad', async (t) => { t.equal(1, 2, 'one is two'); });";
const BAD_WITHIN =
  "t.test('outer', async (t) => { await t.test('inner', async (t) => { t.ok(1); t.equal(3, 4, 'three is four'); }); });";
const HANGS = "t.test('hangs', () => new Promise((resolve) => setTimeout(resolve, 600_000)));";
const SKIPS = `${GOOD}\nt.test('outer', async (t) => { t.pass(); t.test('away', { skip: 'no such tool' }, async () => {}); });`;

t.test('what passed is counted, what is skipped is named; --tap prints TAP', (t) => {
  const { status, stdout, stderr } = run(t, [GOOD, SKIPS], ['--tap']);
  t.equal(status, 0);
  t.match(stdout, /^TAP version 14\n# Subtest: .*\n {4}# Subtest: good\n[^]*^ok 1 - .*\n/m);
  t.match(stderr, /\n2 files, 3 tests passed, 0 failed, 1 skipped in \d+ s\n$/);
  t.end();
});

t.test('with --no-skips, a test that is skipped fails the run', (t) => {
  const { status, stdout, stderr } = run(t, [SKIPS], ['--no-skips']);
  t.equal(status, 1);
  t.equal(stdout, '');
  t.match(stderr, /What failed:\n.*\n {2}ok 2 - away # SKIP no such tool\n\n.*1 failed, 1 skipped/);
  t.end();
});

t.test('what fails, hangs or has no test fails the run; the end says what is known of each', (t) => {
  const none = ['', "import './nowhere.mjs';", 'process.exit(0);'];
  const kept = join(temporaryDir(t), 'failures');
  const { status, stderr } = run(t, [GOOD, BAD, ...none, BAD_WITHIN], ['--failures', kept]);
  t.equal(status, 1);
  const [, end] = stderr.split('\nWhat failed:\n');
  t.match(end, /tests\/1\.test\.mjs\n {2}bad › one is two\n( {4}.*\n){1,15}\n/);
  t.match(end, /tests\/5\.test\.mjs\n {2}outer › inner › three is four\n( {4}.*\n){1,15}\n/);
  t.match(end, /tests\/3\.test\.mjs\n {2}No test in it says.*\n( {4}.*\n)* {4}.*Cannot find module/);
  t.notMatch(end, /tests\/0|fine/);
  t.match(end, /\n6 files, 1 tests passed, 5 failed, 0 skipped in \d+ s\n$/);
  t.equal(`${readFileSync(kept, 'utf8')}\n`, end?.replace(/\d+ files, .*\n$/, ''));
  t.match(run(t, [HANGS], ['--timeout', '3']), {
    status: 1,
    stderr: /What failed:\n.*\n {2}hangs › timeout!/,
  });
  t.end();
});

t.test('what the schedule names is there', (t) => {
  for (const name of [...LONG_FIRST, ...LONG])
    t.ok(existsSync(join(import.meta.dirname, `${name}.test.js`)), name);
  t.equal(new Set(LONG_FIRST).size, LONG_FIRST.length, 'once');
  t.end();
});

t.test('a file that is not there is named', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'test/nowhere.test.ts'], {
    encoding: 'utf8',
  });
  t.equal(status, 2);
  t.match(stderr, /There is no compiled test dist\/test\/nowhere\.test\.js\./);
  t.end();
});
