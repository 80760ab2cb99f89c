import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { STARTERS } from '../../lib/cli/driver-starters/index.js';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

t.test('driver new writes a folder whose manifest is faultless, in every language', async (t) => {
  const cwd = temporaryDir(t);
  for (const lang of STARTERS.keys()) {
    const made = await acheron(['driver', 'new', `greet-${lang}`, '--lang', lang], { cwd });
    t.equal(made.status, 0, made.stderr);
    t.ok(readdirSync(join(cwd, `greet-${lang}`)).includes('README.md'));
  }
  const manifests = [...STARTERS.keys()].map((lang) => `greet-${lang}/greet-${lang}.json`);
  const { status, stdout } = await acheron(['validate', ...manifests], { cwd });
  t.match(stdout, /^7 manifests, 0 errors/m);
  const warnings = stdout.split('\n').filter((line) => line.includes('warning:'));
  t.ok(
    warnings.every((line) => line.includes('does not exist')),
    'nothing but that some are yet to be built',
  );
  t.equal(status, 0);
});

t.test('a new driver in a language that needs no compiler runs as its README says', async (t) => {
  const cwd = temporaryDir(t);
  for (const [lang, printed] of [
    ['sh', 'Hello, world.\n'],
    ['python', '{"greeting": "Hello, world."}'],
    ['node', '{"greeting":"Hello, world."}'],
  ] as const) {
    await acheron(['driver', 'new', 'greet', '--lang', lang, '--dir', lang], { cwd });
    const readme = readFileSync(join(cwd, lang, 'README.md'), 'utf8');
    const line = /^ {4}(.*)$/m.exec(readme)![1]!;
    t.equal(execFileSync('sh', ['-c', line], { cwd: join(cwd, lang), encoding: 'utf8' }), printed, line);
    const driver = [...STARTERS.get(lang)!.files.keys()][0]!;
    t.equal(statSync(join(cwd, lang, driver)).mode & 0o777, 0o755);
  }
});

t.test('driver new overwrites nothing', async (t) => {
  const cwd = temporaryDir(t);
  await acheron(['driver', 'new', 'greet', '--lang', 'sh'], { cwd });
  const { status, stderr } = await acheron(['driver', 'new', 'greet', '--lang', 'python'], { cwd });
  t.equal(status, 1);
  t.match(stderr, /greet\.json exists already\. Nothing was written\./);
  t.notOk(readdirSync(join(cwd, 'greet')).includes('driver.py'));
});
