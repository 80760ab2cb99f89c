import { silentLog, type Log } from '../core/index.js';
import { chooseBinding, type Mount } from '../fuse/index.js';
import { localSession, type Role } from '../policy/index.js';
import type { Client } from '../client/index.js';

export interface MountOptions {
  /** What the mount may do; a tree of a control plane follows the token, whatever is said here. */
  readonly role?: Role;
  /** On whose behalf the mount acts. */
  readonly agentId?: string;
  readonly log?: Log;
}

/**
 * Shows a client's tree at `dir`, to the user of this process. Unmount it before the client is closed.
 * @throws FsError ENODEV where nothing can be mounted, EBUSY where something is mounted already
 */
export async function mount({ tree }: Client, dir: string, options: MountOptions = {}): Promise<Mount> {
  const { role = 'admin', agentId = null, log = silentLog } = options;
  const session = localSession(role, agentId);
  const binding = await chooseBinding('auto');
  return binding.mount(tree.vfs, {
    dir,
    sessionOf: () => session,
    allowOther: false,
    allowUids: [],
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    log,
    fsname: 'acheron',
  });
}
