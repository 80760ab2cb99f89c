import { silentLog } from '../lib/core/index.js';
import type { FuseBinding } from '../lib/fuse/index.js';
import { localSession } from '../lib/policy/index.js';
import type { Vfs } from '../lib/vfs/index.js';

/** For a child process of the bench: mounts `vfs` on `dir`, says that it is ready, and ends with SIGTERM. */
export async function mountUntilTerm(binding: FuseBinding, vfs: Vfs, dir: string): Promise<never> {
  const session = localSession('admin');
  const mount = await binding.mount(vfs, {
    dir,
    sessionOf: () => session,
    allowOther: false,
    allowUids: [],
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    log: silentLog,
    fsname: 'acheron-bench',
  });
  process.once('SIGTERM', () => void mount.unmount());
  process.stdout.write('ready\n');
  await mount.closed;
  process.exit(0);
}
