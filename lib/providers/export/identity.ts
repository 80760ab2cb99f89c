import type { AttrChange, Op } from '../../vfs/index.js';
import { FsError } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import { isDirectory, type HostStat } from './host-stat.js';

/** A user of the host, for the system calls that are made in its place. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** Whom remote callers may ask to act as, instead of the one user that all others act as. */
export interface UserMap {
  /**
   * Null: root, by the admin's own word, as this process.
   * @throws FsError EACCES unless the session may act as that user
   */
  identityOf(uid: number, session: Session): Identity | null;
}

const SET_ID_BITS = 0o6000;

/**
 * Whether a call came from outside this machine's kernel: through a tunnel, the local socket, the console. Nobody
 * vouches for the user behind it, and no number of a user of its own machine means anybody here.
 */
export function isRemote(op: Op): boolean {
  return op.caller === undefined;
}

/** `mode` as a new file or directory may have it: a remote caller's never is set-user-id or set-group-id. */
export function modeFor(mode: number, op: Op): number {
  return mode & (isRemote(op) ? 0o7777 & ~SET_ID_BITS : 0o7777);
}

/**
 * What a remote caller may not do to a file, as any user: make it set-id (a directory keeps the bit it has),
 * or give it to somebody, unless it acts as root by the admin's own word.
 * @throws FsError EPERM
 */
export function checkRemoteChange(
  { mode, uid, gid }: AttrChange,
  op: Op,
  mayGive: boolean,
  current: () => HostStat,
): void {
  if (!isRemote(op)) return;
  const kept = (stat: HostStat): number => (isDirectory(stat) ? stat.mode & SET_ID_BITS : 0);
  if (mode !== undefined && (mode & SET_ID_BITS) !== 0 && (mode & SET_ID_BITS & ~kept(current())) !== 0) {
    throw new FsError('EPERM', 'Set-user-id and set-group-id bits cannot be set through an export.', {
      hint: 'Leave out the bits 06000, or set them on the machine itself.',
    });
  }
  if (mayGive || (uid === undefined && gid === undefined)) return;
  const now = current();
  if ((uid ?? now.uid) === now.uid && (gid ?? now.gid) === now.gid) return;
  throw new FsError('EPERM', 'Owner and group cannot be changed through an export.', {
    hint: 'Change them on the machine itself; or its admin may export the directory with :as=root.',
  });
}
