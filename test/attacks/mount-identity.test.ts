import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { prepareMountpoint, unmountDir } from '../../lib/fuse/index.js';
import { PROGRAM, Up, acheron } from '../support/acheron.js';
import { NOBODY_UID, needsRoot, runAs, runInNamespace } from './fixtures/local-account.js';

function sharedDir(t: Test): string {
  const top = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  t.teardown(() => rmSync(top, { recursive: true, force: true }));
  chmodSync(top, 0o1777);
  return top;
}

t.test('who mounts is not handed the mount of another local user', needsRoot, async (t) => {
  const top = sharedDir(t);
  const script = `
    node="$1"; acheron="$2"; top="$3"
    as ${NOBODY_UID} mkdir "$top/mnt"
    as ${NOBODY_UID} "$node" "$acheron" up "$top/mnt" --state-dir "$top/theirs" --no-control --background >/dev/null
    "$node" "$acheron" up "$top/mnt" --state-dir "$top/ours" --no-control --background && echo handed over
    true`;
  const { stdout, stderr } = await runInNamespace(script, [process.execPath, PROGRAM, top]);
  t.equal(stdout, '');
  t.match(stderr, /mounted already, by another local user \(uid 65534\)/);
});

t.test('a symbolic link of another local user is no way to a mount point', needsRoot, async (t) => {
  const top = sharedDir(t);
  mkdirSync(join(top, 'ours'));
  mkdirSync(join(top, 'ours', 'below'));
  await runAs(NOBODY_UID, ['ln', '-s', join(top, 'ours'), join(top, 'link')]);
  for (const path of ['link', 'link/below', 'link/new', 'ours/../link'].map((name) => join(top, name))) {
    const refused = { code: 'EACCES', message: /symbolic link of another user/ } as const;
    await t.rejects(prepareMountpoint(path), { ...refused, hint: /Name the directory itself/ }, path);
    await t.rejects(unmountDir(path), refused, path);
  }
});

t.test('a directory that another user replaces while it is mounted on is reported', needsRoot, async (t) => {
  const top = sharedDir(t);
  for (const name of ['mnt', 'victim', 'bin']) mkdirSync(join(top, name));
  // As one who may write to \`top\` and wins the race: between the look at the directory and the system call.
  const shim = `#!/bin/sh\nmv ${top}/mnt ${top}/was; ln -s ${top}/victim ${top}/mnt\nexec /usr/bin/env PATH=/usr/bin:/bin:/usr/sbin:/sbin mount "$@"\n`;
  writeFileSync(join(top, 'bin', 'mount'), shim, { mode: 0o755 });
  const script = `
    grep fuse.acheron /proc/self/mountinfo >"$3/before" || true
    PATH="$3/bin:$PATH" "$1" "$2" up "$3/mnt" --state-dir "$3/state" --no-control --background || true
    grep fuse.acheron /proc/self/mountinfo | grep -cvxFf "$3/before"`;
  const { stdout, stderr } = await runInNamespace(script, [process.execPath, PROGRAM, top]);
  t.equal(stdout, '0\n', 'nothing is mounted anywhere');
  t.match(stderr, /was replaced while it was mounted on/);
});

t.test('"mounted already" is said only where the mount is for the same', async (t) => {
  const up = await Up.start(t);
  const again = (...more: string[]): ReturnType<typeof acheron> =>
    acheron(['up', up.dir, '--no-control', '--background', ...more]);
  const same = ['--state-dir', up.stateDir];
  t.match(await again(...same), { status: 0, stdout: /mounted already/ });
  for (const more of [
    [...same, '--role', 'user', '--agent', 'x'],
    ['--state-dir', `${up.stateDir}-other`],
  ])
    t.match(
      await again(...more),
      { status: 1, stdout: '', stderr: /mounted already, and not as it is asked for now/ },
      more.slice(-4).join(' '),
    );
  const plane = ['--control-url', 'ws://127.0.0.1:9', '--connect-timeout-ms', '10'];
  t.match(
    await acheron(['mount', up.dir, ...plane], { env: { ACHERON_TOKEN: 'a-token' } }),
    { status: 1, stderr: /not as it is asked for now/ },
    'another kind',
  );
  t.equal(up.child.exitCode, null);
});
