import { FsError } from '../core/index.js';
import type { Op } from '../vfs/index.js';

/** @throws FsError ENOENT for a session that is not an admin's, or was revoked: what is for admins is not there. */
export function requireAdmin({ session }: Op): void {
  if (session.role !== 'admin' || session.revoked) throw new FsError('ENOENT', 'There is no such file.');
}
