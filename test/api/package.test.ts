import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { temporaryDir } from '../support/test-node.js';

const top = resolve(import.meta.dirname, '../../..');
const program = join(top, 'dist/bundle/bin/acheron.js');

t.test('without fuse-native everything but the second binding works, and that says what it lacks', (t) => {
  const dir = temporaryDir(t);
  // The package as it is where an optional dependency could not be built.
  mkdirSync(join(dir, 'node_modules'));
  for (const name of readdirSync(join(top, 'node_modules')))
    if (name !== 'fuse-native' && !name.startsWith('.'))
      symlinkSync(join(top, 'node_modules', name), join(dir, 'node_modules', name));
  for (const name of ['dist', 'manifests', 'drivers', 'package.json'])
    symlinkSync(join(top, name), join(dir, name));
  const run = (...args: string[]): { status: number | null; stderr: string; stdout: string } =>
    spawnSync(
      process.execPath,
      ['--preserve-symlinks', '--preserve-symlinks-main', join(dir, 'dist/bundle/bin/acheron.js'), ...args],
      { encoding: 'utf8', env: { PATH: process.env.PATH, ACHERON_STATE_DIR: join(dir, 'state') } },
    );
  t.match(run('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  const { stdout, stderr } = run('doctor', '--json');
  t.match(stdout + stderr, /fuse-native/);
  t.notMatch(stderr, /\n {4}at /, 'no stack trace');
  t.end();
});

t.test('a machine of another kind is refused in one sentence', (t) => {
  const dir = temporaryDir(t);
  const disguise = join(dir, 'disguise.mjs');
  for (const arch of ['arm', 's390x']) {
    writeFileSync(disguise, `Object.defineProperty(process, 'arch', { value: '${arch}' });`);
    const { status, stderr } = spawnSync(process.execPath, ['--import', disguise, program, 'ls'], {
      encoding: 'utf8',
    });
    t.equal(status, 1);
    t.match(stderr, new RegExp(`^acheron: this machine is ${arch} .*64-bit, little-endian Node.js\\.\n$`));
  }
  t.end();
});
