// `npm test [-- --tap --no-skips --jobs N --timeout S --failures TO FILE…]`: runs the compiled test files, or these,
// each in a process of its own. With `--no-skips` a test that does not run has failed. What failed is said once more
// at the end, and written to TO.
//
// tap's own runner has every Node process of a test, and every one that such a process starts, load its modules
// through a second thread, to know which file was changed. That takes more time than most tests. Here a test and
// the commands that it starts are loaded as users load them.
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import t from 'tap';
import { describeFailures } from './failures.js';
import { joinTests } from './join-tests.js';
import { LONG, LONG_FIRST } from './schedule.js';

const ROOT = join(import.meta.dirname, '..', '..');
const TESTS = 'dist/test';
/** A file may take this long; a test in it that needs more says so itself. */
const DEFAULT_TIMEOUT_S = 300;

interface Printed {
  readonly output: readonly string[];
  readonly errors: readonly string[];
  readonly began: number;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tap: { type: 'boolean', default: false },
    'no-skips': { type: 'boolean', default: false },
    endurance: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(availableParallelism() + 1) },
    timeout: { type: 'string', default: String(DEFAULT_TIMEOUT_S) },
    failures: { type: 'string' },
  },
});

const started = performance.now();
const files = positionals.length > 0 ? positionals.map(named) : everyFile();
/** What each file printed, and when it was started. */
const outputs = new Map<string, Printed>();
const failures: string[] = [];
const totals = { files: 0, passed: 0, failed: 0, skipped: 0 };

process.chdir(ROOT);
const outdir = join(ROOT, 'dist', `joined-tests-${process.pid}`);
process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
const ours = files.filter((file) => file.startsWith(TESTS));
const joined = await joinTests(ours, { root: ROOT, tests: TESTS, outdir });
t.setTimeout(0);
t.jobs = Math.max(1, Math.min(Number(options.jobs), files.length));
if (options.tap) {
  t.pipe(process.stdout);
} else {
  t.register();
  t.resume();
}
t.on('spawn', (test) => {
  test.on('process', ({ stdout, stderr }) => {
    const output: string[] = [];
    const errors: string[] = [];
    outputs.set(test.name, { output, errors, began: performance.now() });
    stdout?.on('data', (bytes: Buffer) => output.push(bytes.toString()));
    stderr?.on('data', (bytes: Buffer) => errors.push(bytes.toString()));
    stderr?.pipe(process.stderr, { end: false });
  });
});
await Promise.all(files.sort(byLength).map(run));
t.end();
const { passed, failed, skipped } = totals;
const seconds = Math.round((performance.now() - started) / 1000);
if (options.failures !== undefined) writeFileSync(options.failures, failures.join('\n'));
if (failures.length > 0) process.stderr.write(`\nWhat failed:\n${failures.join('\n')}\n`);
process.stderr.write(
  `${totals.files} files, ${passed} tests passed, ${failed} failed, ${skipped} skipped in ${seconds} s\n`,
);
if (failed > 0) process.exitCode = 1;

async function run(file: string): Promise<void> {
  const program = ['-u', 'NODE_OPTIONS', process.execPath, joined.get(file) ?? file];
  const results = await t.spawn('/usr/bin/env', program, {
    name: file,
    at: null,
    buffered: true,
    timeout: Number(options.timeout) * 1000,
    stdio: [0, 'pipe', 'pipe'],
    env: {
      ...process.env,
      TAP_TIMEOUT: options.timeout,
      ...(options.endurance ? { ACHERON_TEST_LONG: '1' } : {}),
    },
  });
  report(file, outputs.get(file) ?? { output: [], errors: [], began: 0 }, results?.ok === true);
}

/** Counts what a file's tests came to, and says so. A file in which nothing ran has failed. */
function report(file: string, { output, errors, began }: Printed, ok: boolean): void {
  const tap = output.join('');
  const lines = tap.split('\n');
  const ms = performance.now() - began;
  const skips = lines.filter((line) => /^ *ok \d.* # SKIP\b/i.test(line));
  const passed = lines.filter((line) => /^ok \d(?!.* # SKIP\b)/i.test(line)).length;
  const failed = lines.filter((line) => line.startsWith('not ok ')).length;
  const isGood = ok && passed + skips.length > 0 && !(options['no-skips'] && skips.length > 0);
  totals.files += 1;
  totals.passed += passed;
  totals.failed += isGood ? 0 : Math.max(1, failed);
  totals.skipped += skips.length;
  if (!isGood)
    failures.push(
      describeFailures(testName(file), {
        tap,
        errors: errors.join(''),
        skipped: options['no-skips'] ? skips : [],
      }),
    );
  process.stderr.write(
    `${isGood ? 'passed' : 'FAILED'} ${(ms / 1000).toFixed(1).padStart(5)} s ${String(passed).padStart(3)}  ${testName(file)}\n` +
      (options.tap ? '' : skips.map((line) => `    ${line.trim()}\n`).join('')),
  );
}

function everyFile(): string[] {
  return readdirSync(join(ROOT, TESTS), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .filter((name) => !options.endurance || name.startsWith('endurance/') || LONG.has(nameOf(name)))
    .filter((name) => options.endurance || !name.startsWith('endurance/'))
    .sort()
    .map((name) => join(TESTS, name));
}

/** A test file as its user names it, compiled or not. */
function named(name: string): string {
  const path = relative(ROOT, resolve(name)).replace(/^test\/(.*)\.ts$/, `${TESTS}/$1.js`);
  if (!existsSync(join(ROOT, path))) {
    process.stderr.write(`There is no compiled test ${path}.\n`);
    process.exit(2);
  }
  return path;
}

function testName(file: string): string {
  return nameOf(relative(TESTS, file));
}

function nameOf(path: string): string {
  return path.replace(/\.test\.js$/, '');
}

/** What takes longest comes first, so that no long file is left for the end; of others, what is larger. */
function byLength(one: string, other: string): number {
  return place(one) - place(other) || statSync(other).size - statSync(one).size;
}

function place(file: string): number {
  const at = LONG_FIRST.indexOf(testName(file));
  return at < 0 ? LONG_FIRST.length : at;
}
