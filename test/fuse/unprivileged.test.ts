import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { cleanEnvironment } from '../support/mount-child.js';
import type { UserMountReport } from '../support/user-mount-program.js';

const run = promisify(execFile);
/** `nobody` of Debian: fusermount3 wants a user that has a name. */
const UID = 65_534;

/** A /dev/fuse that all may open, in a mount namespace of its own, whatever the machine's is. */
const NAMESPACE = `
  set -e
  mount -t tmpfs -o mode=755 acheron-test /mnt
  mknod -m 666 /mnt/fuse c 10 229
  mount --bind /mnt/fuse /dev/fuse
  exec setpriv --reuid "$1" --regid "$1" --clear-groups -- "$2" "$3" "$4" "$5"`;

for (const reader of ['pipe', 'thread'] as const)
  t.test(
    `who is not root mounts through fusermount3, uses and unmounts while what it starts cannot gain privileges (reader: ${reader})`,
    { skip: process.getuid!() === 0 ? false : 'only root can make a device node and become somebody else' },
    async (t) => {
      const top = mkdtempSync(join(tmpdir(), 'acheron-test-'));
      t.teardown(() => rmSync(top, { recursive: true }));
      const dir = join(top, 'mnt');
      mkdirSync(dir);
      for (const path of [top, dir]) chownSync(path, UID, UID);
      const program = new URL('../support/user-mount-program.js', import.meta.url).pathname;
      const { stdout } = await run(
        'unshare',
        [
          '-m',
          '--propagation',
          'private',
          'sh',
          '-c',
          NAMESPACE,
          'sh',
          String(UID),
          process.execPath,
          program,
          dir,
          reader,
        ],
        { env: { ...cleanEnvironment(), HOME: top }, timeout: 30_000, cwd: '/' },
      );
      t.same(JSON.parse(stdout), {
        uid: UID,
        caller: { ...(JSON.parse(stdout) as UserMountReport).caller, uid: UID },
        before: 'before\n',
        after: 'and after\n',
        closed: 'unmounted',
        left: false,
        noNewPrivileges: '1',
      });
    },
  );
