import { FsError } from '../core/index.js';
import { idsOfUser } from '../drivers/index.js';

/**
 * The uid and gid of `--driver-user`.
 * @throws FsError EPERM when this process may not run others' processes, and what `idsOfUser` throws.
 */
export function driverUserFrom(text: string): { uid: number; gid: number } {
  if (process.getuid?.() !== 0) {
    throw new FsError('EPERM', `Only a node that runs as root can run drivers as ${text}.`, {
      hint: 'Leave --driver-user out, or start the node as root.',
    });
  }
  return idsOfUser(text);
}
