#!/usr/bin/env node
// SHA256SUMS of all packages in a folder, and its signature: by an SSH key (SHA256SUMS.sig) or by GnuPG (SHA256SUMS.asc). What was written is
// checked again before it ends. docs/RELEASING.md says when, and how others check it.
//   node bin/sign-release.mjs DIR --ssh-key FILE
//   node bin/sign-release.mjs DIR --gpg-key ID
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';

/** What a signature is made for: one of another purpose does not count. docs/RELEASING.md names it too. */
const NAMESPACE = 'acheron-release';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'ssh-key': { type: 'string' }, 'gpg-key': { type: 'string' } },
});
const [folder] = positionals;
if (positionals.length !== 1 || (flags['ssh-key'] === undefined) === (flags['gpg-key'] === undefined))
  fail('Name one folder, and one of --ssh-key FILE and --gpg-key ID.', 2);
const packages = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => /\.(?:tgz|deb)$/.test(name))
      .sort()
  : [];
if (packages.length === 0) fail(`There is no .tgz and no .deb in ${folder}: build them first.`, 1);

const lines = [];
for (const name of packages) lines.push(`${await digestOf(join(folder, name))}  ${name}\n`);
for (const name of ['SHA256SUMS', 'SHA256SUMS.sig', 'SHA256SUMS.asc'])
  rmSync(join(folder, name), { force: true });
writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''));
if (flags['ssh-key'] === undefined) {
  run('gpg', ['--armor', '--detach-sign', '--local-user', flags['gpg-key'], 'SHA256SUMS']);
  run('gpg', ['--verify', 'SHA256SUMS.asc', 'SHA256SUMS']);
} else {
  run('ssh-keygen', ['-Y', 'sign', '-n', NAMESPACE, '-f', flags['ssh-key'], 'SHA256SUMS'], true);
  run('sh', ['-c', `ssh-keygen -Y check-novalidate -n ${NAMESPACE} -s SHA256SUMS.sig < SHA256SUMS`]);
}
process.stdout.write(lines.join(''));

async function digestOf(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Runs it in the folder; a path that is to be read stays as the caller wrote it. */
function run(command, args, hasPath = false) {
  const cwd = hasPath ? undefined : folder;
  const given = hasPath ? [...args.slice(0, -1), join(folder, args.at(-1))] : args;
  const { status, error } = spawnSync(command, given, { cwd, stdio: ['inherit', 'ignore', 'inherit'] });
  if (error !== undefined) fail(`${command} cannot be run: ${error.message}`, 1);
  if (status !== 0) fail(`${command} ${args.slice(0, 2).join(' ')} failed: nothing is signed.`, 1);
}

function fail(sentence, status) {
  console.error(sentence);
  process.exit(status);
}
