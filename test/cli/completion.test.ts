import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/store.js';

t.test('bash completes commands, subcommands, options and their choices', async (t) => {
  const script = join(temporaryDir(t), 'acheron.bash');
  writeFileSync(script, (await acheron(['completion', 'bash'])).stdout);
  const completed = (...words: string[]): string[] =>
    execFileSync(
      'bash',
      [
        '-c',
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _acheron; printf "%s\\n" "${COMPREPLY[@]}"',
        script,
        ...words,
      ],
      { encoding: 'utf8' },
    )
      .trim()
      .split('\n');
  t.same(completed('acheron', 'tok'), ['token']);
  t.same(completed('acheron', 'token', ''), ['create', 'list', 'revoke', 'rotate']);
  t.same(completed('acheron', 'project', 'token', 're'), ['revoke']);
  t.same(completed('acheron', 'token', 'create', '--ro'), ['--role']);
  t.same(completed('acheron', 'token', 'create', '--role', ''), ['user', 'admin']);
  t.same(completed('acheron', 'completion', 'f'), ['fish']);
});

for (const [shell, check] of [
  ['zsh', ['zsh', '-n']],
  ['fish', ['fish', '--no-execute']],
] as const) {
  const [program, flag] = check;
  const skip = spawnSync(program, ['--version']).error === undefined ? false : `${shell} is not here`;
  t.test(`${shell} can read its script, which names all commands`, { skip }, async (t) => {
    const { stdout } = await acheron(['completion', shell]);
    const script = join(temporaryDir(t), 'script');
    writeFileSync(script, stdout);
    execFileSync(program, [flag, script]);
    for (const name of ['token', 'project', 'watch', '--agent', 'rotate'])
      t.ok(stdout.includes(name.replace(/^--/, '')), name);
  });
}
