import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { inviteThrough, PlaneProcesses, shell, untilOnline } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';
import { needsRoot, runAs, STRANGER_UID } from './fixtures/local-account.js';

const LET_IN = ['--allow-other', '--allow-uid', String(STRANGER_UID)];

/** What a stranger may try in a directory, each known by its message. */
const ATTEMPTS = `exec 2>&1; cd "$0" 2>/dev/null && echo in; cat "$0/open"; echo x >>"$0/open"; echo x >"$0/new"; ls "$0"; ls -l "$0"
  stat -c %s "$0/open"; mkdir "$0/d"; rm "$0/open"; mv "$0/open" "$0/moved"; chmod 777 "$0/open"; ln "$0/open" "$0/l"
  ln -s x "$0/s"; touch "$0/open"; truncate -s 0 "$0/open"; test -r "$0/open" && echo readable; true`;

t.test(
  'local users whom a mount lets in do not reach the exports of other machines with the rights of its owner',
  needsRoot,
  async (t) => {
    const real = temporaryDir(t);
    chmodSync(real, 0o777);
    writeFileSync(join(real, 'open'), 'text');
    chmodSync(join(real, 'open'), 0o666);
    const plane = await PlaneProcesses.start(t);
    const mount = await plane.mount('admin', LET_IN);
    chmodSync(join(mount, '..'), 0o755);
    plane.node('n1', []).start(await inviteThrough(mount), ['--export', `data=${real}:rw`]);
    await untilOnline(mount, 'n1');
    const shown = join(mount, 'nodes/n1/fs/data');

    const attempts = async (): Promise<string[]> =>
      (await runAs(STRANGER_UID, ['sh', '-c', ATTEMPTS, shown])).stdout.trim().split('\n');
    for (const line of await attempts()) t.match(line, /Permission denied/);
    const own = await shell(`cd ${shown} && cat open && echo more >>open && mkdir d && ls`);
    t.equal(own.stderr, '', 'the owner works as ever');
    t.equal(own.stdout, 'textd\nopen\n');
    // Names and attributes that the owner has just seen may still be known to the kernel.
    for (const line of await attempts())
      t.match(line, /Permission denied|^in$|^\d+$|File exists|are the same/);
    t.same(readdirSync(real), ['d', 'open']);
    t.equal(readFileSync(join(real, 'open'), 'utf8'), 'textmore\n');

    const other = await runAs(STRANGER_UID, ['cat', `${mount}/session.json`, `${mount}/nodes/n1/NODE.json`]);
    t.equal(other.stderr, '', 'all else is theirs as before');
  },
);
