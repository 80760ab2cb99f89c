// `lint [PART…]`: what is looked at besides tests, of sources and of what `npm run build` made of them; all parts, or these.
// As many at a time as there are processors, those that take long first; only what fails is printed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

/** Of what a part printed: more is to be had by the part alone. */
const MAX_LINES = 60;

const top = join(import.meta.dirname, '..');
const program = (name) => join(top, 'node_modules/.bin', name);

/** Each runs one or more commands, and answers what they printed where one failed. */
const PARTS = {
  rules: () => run(program('eslint'), ['.']),
  format: () => run(program('prettier'), ['--check', '--log-level', 'warn', '.']),
  package: checkPackage,
  console: () => run(process.execPath, [join(top, 'node_modules/typescript-7/bin/tsc'), '-p', 'console']),
  unused: () => run(program('knip'), ['--no-progress']),
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS);
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0)
  stop(`There is no part ${unknown.join(', ')}. There are ${Object.keys(PARTS).join(', ')}.`);
if (!existsSync(join(top, 'dist/lib/index.d.ts'))) stop('Nothing is built. Run: npm run build');

const failed = [];
const left = [...names];
await Promise.all(Array.from({ length: availableParallelism() }, lane));
if (failed.length > 0) {
  console.error(`lint failed: ${failed.join(', ')}. Each alone: node bin/lint.mjs PART`);
  process.exitCode = 1;
}

async function lane() {
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const began = performance.now();
    const printed = await PARTS[name]();
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
    console.error(`${printed === null ? 'passed' : 'FAILED'} ${seconds} s  lint ${name}`);
    if (printed === null) continue;
    failed.push(name);
    const lines = printed.trim().split('\n');
    console.error(lines.slice(0, MAX_LINES).join('\n'));
    if (lines.length > MAX_LINES) console.error(`… and ${lines.length - MAX_LINES} more lines`);
  }
}

/** The package as npm and TypeScript will see it: packed as it is built, which scripts of npm would do again. */
async function checkPackage() {
  const dir = mkdtempSync(join(tmpdir(), 'acheron-package-'));
  try {
    const packing = ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir];
    const unpacked = await run('npm', packing);
    if (unpacked !== null) return unpacked;
    const file = join(dir, readdirSync(dir)[0]);
    const said = [
      await run(program('publint'), ['run', '--strict', file]),
      await run(program('attw'), [file, '--profile', 'esm-only']),
    ].filter((printed) => printed !== null);
    return said.length === 0 ? null : said.join('\n');
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Null where it ends well, else what it printed. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: top, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (printed += text));
    child.once('error', (error) => resolve(`${command} could not be run: ${error.message}`));
    child.once('close', (status) =>
      resolve(status === 0 ? null : printed.trim() || `${command} ended with ${status}`),
    );
  });
}

function stop(why) {
  console.error(why);
  process.exit(2);
}
