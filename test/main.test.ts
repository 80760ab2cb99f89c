import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
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

t.test('what passed is counted, and nothing is printed of it', (t) => {
  const { status, stdout, stderr } = run(t, [GOOD, GOOD]);
  t.equal(status, 0);
  t.equal(stdout, '');
  t.match(stderr, /\n2 files, 2 tests passed, 0 failed, 0 skipped in \d+ s\n$/);
  t.end();
});

t.test('a test that fails is shown with what is known of it, and fails the run', (t) => {
  const { status, stderr } = run(t, [GOOD, "t.test('bad', async (t) => { t.equal(1, 2, 'one is two'); });"]);
  t.equal(status, 1);
  t.match(stderr, /FAILED.*\n {4}not ok 1 - one is two\n {6}---\n/);
  t.match(stderr, /2 files, 1 tests passed, 1 failed/);
  t.end();
});

t.test('a file in which nothing runs, or that cannot be read, fails the run', (t) => {
  for (const content of ['', "import './nowhere.mjs';", 'process.exit(0);'])
    t.match(run(t, [content]), { status: 1, stderr: /0 tests passed, 1 failed/ }, content);
  t.end();
});

t.test('a test that is skipped is named; with --no-skips it fails the run', (t) => {
  const skips = `${GOOD}\nt.test('away', { skip: 'no such tool' }, async (t) => { t.pass(); });`;
  t.match(run(t, [skips]), { status: 0, stderr: /ok 2 - away # SKIP no such tool\n.*, 1 skipped/ });
  t.match(run(t, [skips], ['--no-skips']), { status: 1, stderr: /1 failed, 1 skipped/ });
  const inner = "t.test('outer', async (t) => { t.pass(); t.test('in', { skip: 'so' }, async () => {}); });";
  t.match(run(t, [inner], ['--no-skips']), { status: 1, stderr: /1 skipped/ });
  t.end();
});

t.test('a file that hangs is ended when its time is over', (t) => {
  const hangs = "t.test('hangs', () => new Promise((resolve) => setTimeout(resolve, 600_000)));";
  t.match(run(t, [hangs], ['--timeout', '1']), { status: 1, stderr: /timeout!/ });
  t.end();
});

t.test('--tap prints TAP, as other tools read it', (t) => {
  const { stdout } = run(t, [GOOD], ['--tap']);
  t.match(stdout, /^TAP version 14\n# Subtest: .*\n {4}# Subtest: good\n/);
  t.match(stdout, /^ok 1 - .*\n/m);
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
