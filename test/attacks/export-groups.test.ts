import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { mountChild } from '../support/mount-child.js';
import { needsRoot, STRANGER_UID } from './fixtures/local-account.js';

const GROUP = 4242;
const fixture = { module: new URL('fixtures/export-tree.js', import.meta.url).href, name: 'exportTree' };
const run = promisify(execFile);

function makeDir(t: Test): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'acheron-test-'));
  t.teardown(() => fs.rmSync(path, { recursive: true, force: true }));
  fs.chmodSync(path, 0o755);
  return path;
}

/** What a shell script prints in `cwd`, run as a user that is in these groups besides its own. */
async function asMember(groups: readonly number[], cwd: string, script: string): Promise<string> {
  const member = groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')];
  const id = String(STRANGER_UID);
  const shell = ['sh', '-c', `exec 2>&1; cd "$0" || exit; ${script}`, cwd];
  return (await run('setpriv', ['--reuid', id, '--regid', id, ...member, '--', ...shell])).stdout;
}

/** Makes the same in a bare directory and in one that is mounted as an export; answers the script's words in each. */
async function inBoth(
  t: Test,
  { groups, make, script }: { groups: readonly number[]; make: (path: string) => void; script: string },
): Promise<{ readonly bare: string; readonly shown: string }> {
  const [bare, real] = [makeDir(t), makeDir(t)];
  const mount = await mountChild(t, {
    fixture: { ...fixture, argument: real },
    binding: 'kernel',
    allowOther: true,
    allowUids: [STRANGER_UID],
  });
  fs.chmodSync(join(mount.dir, '..'), 0o755);
  for (const path of [bare, real]) make(path);
  return {
    bare: (await asMember(groups, bare, script)).replaceAll(bare, '.'),
    shown: (await asMember(groups, mount.dir, script)).replaceAll(mount.dir, '.'),
  };
}

t.test('a group that is denied is denied, whatever others may do', needsRoot, async (t) => {
  const { bare, shown } = await inBoth(t, {
    groups: [GROUP],
    make(path) {
      fs.chmodSync(path, 0o777);
      for (const name of ['file', 'other']) fs.writeFileSync(join(path, name), 'text');
      fs.chownSync(join(path, 'file'), 0, GROUP);
      fs.chmodSync(join(path, 'file'), 0o606);
      fs.chmodSync(join(path, 'other'), 0o606);
      fs.mkdirSync(join(path, 'dir'));
      fs.chownSync(join(path, 'dir'), 0, GROUP);
      fs.chmodSync(join(path, 'dir'), 0o707);
    },
    script: `cat file; echo more >>file; true >file; truncate -s 0 file; touch dir/new; ln file name
      test -r file || echo unreadable; test -w file || echo unwritable; cat other; stat -c %s file`,
  });
  t.match(bare, /^cat: file: Permission denied\n/);
  t.equal(shown, bare);
});

for (const groups of [[GROUP], []])
  t.test(
    `the set-group-id bit is kept and lost as in the directory itself, ${groups.length === 0 ? 'not ' : ''}in the group`,
    needsRoot,
    async (t) => {
      const { bare, shown } = await inBoth(t, {
        groups,
        make(path) {
          fs.chmodSync(path, 0o777);
          fs.mkdirSync(join(path, 'shared'));
          fs.chownSync(join(path, 'shared'), 0, GROUP);
          fs.chmodSync(join(path, 'shared'), 0o2777);
          fs.writeFileSync(join(path, 'mine'), '');
          fs.chownSync(join(path, 'mine'), STRANGER_UID, GROUP);
        },
        script: `show() { stat -c '%n %a %g' "$@"; }
        chmod 2755 mine; show mine; cd shared
        for mask in 002 022 077 000; do umask $mask; mkdir d$mask; touch f$mask; mkdir -m 755 e$mask; show ?$mask; done
        chmod 2755 f002; show f002; chgrp 54321 f022; show f022; mkdir d002/d; show d002/d
        python3 -c 'import os; os.close(os.open("set", os.O_CREAT, 0o2775)); os.close(os.open("unset", os.O_CREAT, 0o2745))'; show set unset`,
      });
      t.match(bare, groups.length === 0 ? /^mine 755 4242\n/ : /^mine 2755 4242\n/);
      t.match(bare, /\nd002 2775 4242\n/);
      t.equal(shown, bare);
    },
  );

const CHANGING = `
import os
def attempt():
    os.seteuid(${STRANGER_UID})
    try: print(os.stat('file').st_size, len(open('file').read()))
    except OSError as e: print(e.strerror)
    os.seteuid(0)
for groups in [], [${GROUP}], [], list(range(1, 3000)) + [${GROUP}], [1]:
    os.setgroups(groups)
    attempt()
`;

t.test('groups count as they are at each call, however many', needsRoot, async (t) => {
  const real = makeDir(t);
  const mount = await mountChild(t, {
    fixture: { ...fixture, argument: real },
    binding: 'kernel',
    allowOther: true,
    allowUids: [STRANGER_UID],
  });
  fs.chmodSync(join(mount.dir, '..'), 0o755);
  fs.writeFileSync(join(real, 'file'), 'text');
  fs.chownSync(join(real, 'file'), 0, GROUP);
  fs.chmodSync(join(real, 'file'), 0o606);
  const { stdout } = await run('python3', ['-c', CHANGING], { cwd: mount.dir });
  t.equal(stdout, '4 4\nPermission denied\n4 4\nPermission denied\n4 4\n');
  for (let i = 0; i < 20; i++) await asMember([], mount.dir, 'cat file');
  const statuses = fs
    .readdirSync(`/proc/${mount.pid}/fd`)
    .filter((fd) => /^\/proc\/\d+\/status$/.test(linkOf(`/proc/${mount.pid}/fd/${fd}`)));
  t.ok(statuses.length <= 16, 'few callers are remembered');
});

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}
