import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { temporaryDir } from '../support/test-node.js';

const top = join(import.meta.dirname, '../../..');
const SIGN = join(top, 'bin/sign-release.mjs');

/** What docs/RELEASING.md tells users to do, in a folder with all that they downloaded. */
const CHECK = /```sh check\n([^]*?)```/.exec(readFileSync(join(top, 'docs/RELEASING.md'), 'utf8'))![1]!;

/** A folder with packages, a key, and who may sign. */
async function released(t: Test): Promise<{ folder: string; key: string }> {
  const folder = temporaryDir(t);
  const key = join(temporaryDir(t), 'key');
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
  writeFileSync(
    join(folder, 'allowed_signers'),
    `releases@acheron namespaces="acheron-release" ${readFileSync(`${key}.pub`, 'utf8')}`,
  );
  for (const name of ['acheron-0.1.0.tgz', 'acheron_0.1.0_amd64.deb', 'acheron_0.1.0_arm64.deb'])
    writeFileSync(join(folder, name), `the bytes of ${name}`);
  return { folder, key };
}

const check = (folder: string): Promise<{ exitCode?: number }> =>
  execa('bash', ['-e', '-c', CHECK], { cwd: folder, reject: false });

t.test('packages are summed and signed, and whoever downloads them can check it', async (t) => {
  const { folder, key } = await released(t);
  const { stdout } = await execa(process.execPath, [SIGN, folder, '--ssh-key', key]);
  t.equal(stdout.trim(), readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim());
  t.match(stdout, /^[\da-f]{64} {2}acheron-0\.1\.0\.tgz\n[^]*_amd64\.deb\n[^]*_arm64\.deb$/);
  t.match(await check(folder), { exitCode: 0 });

  t.test('again after a package was built anew', async (t) => {
    writeFileSync(join(folder, 'acheron-0.1.0.tgz'), 'other bytes');
    t.not((await check(folder)).exitCode, 0, 'not before it is signed');
    await execa(process.execPath, [SIGN, folder, '--ssh-key', key]);
    t.match(await check(folder), { exitCode: 0 });
  });

  t.test('sums that somebody else wrote or signed are found out', async (t) => {
    const other = await released(t);
    await execa(process.execPath, [SIGN, folder, '--ssh-key', other.key]);
    t.not((await check(folder)).exitCode, 0, 'by another key');
    await execa(process.execPath, [SIGN, folder, '--ssh-key', key]);
    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
    writeFileSync(join(folder, 'SHA256SUMS'), sums.split('\n').slice(1).join('\n'));
    t.not((await check(folder)).exitCode, 0, 'without a line');
  });
});

t.test('a releaser who has GnuPG signs with that', async (t) => {
  const { folder } = await released(t);
  const GNUPGHOME = temporaryDir(t);
  const env = { GNUPGHOME };
  t.teardown(() => execa('gpgconf', ['--kill', 'all'], { env }));
  const named = 'releases@example.org';
  const made = ['--batch', '--passphrase', '', '--quick-gen-key', named, 'ed25519', 'sign', 'never'];
  await execa('gpg', made, { env });
  await execa(process.execPath, [SIGN, folder, '--gpg-key', named], { env });
  const verify = (): Promise<{ exitCode?: number; stderr: string }> =>
    execa('gpg', ['--verify', 'SHA256SUMS.asc', 'SHA256SUMS'], { cwd: folder, env, reject: false });
  t.match(await verify(), { exitCode: 0, stderr: /Good signature from "releases@example\.org"/ });
  writeFileSync(join(folder, 'SHA256SUMS'), 'other sums');
  t.match(await verify(), { exitCode: 1, stderr: /BAD signature/ });
  const by = ['--gpg-key', 'nobody@example.org'];
  t.match(await execa(process.execPath, [SIGN, folder, ...by], { env, reject: false }), {
    exitCode: 1,
    stderr: /nothing is signed/,
  });
});

t.test('nothing is signed where something is missing', async (t) => {
  const { folder, key } = await released(t);
  const run = (...args: string[]): Promise<{ exitCode?: number; stderr?: string }> =>
    execa(process.execPath, [SIGN, ...args], { reject: false, stdin: 'ignore' });
  t.match(await run(temporaryDir(t), '--ssh-key', key), { exitCode: 1, stderr: /build them first/ });
  t.match(await run(folder, '--ssh-key', `${key}.none`), { exitCode: 1, stderr: /nothing is signed/ });
  t.match(await run(folder), { exitCode: 2 });
  t.match(await run(folder, '--ssh-key', key, '--gpg-key', 'x'), { exitCode: 2 });
});
