import { effectiveUser } from '../../linux/index.js';
import type { Caller } from '../../vfs/index.js';
import type { HostStat } from './host-stat.js';

/** What the mode bits say about `caller` (this process where unknown), as access(2) would; ACLs are not seen. */
export function mayAccess(stat: HostStat, mask: number, caller: Caller | undefined): boolean {
  const { uid, gid, groups } = caller === undefined ? effectiveUser() : { ...caller, groups: [] };
  if (uid === 0) return (mask & 1) === 0 || (stat.mode & 0o111) !== 0 || stat.type === 0o040000;
  const isMember = gid === stat.gid || groups.some((group) => group === stat.gid);
  const shift = uid === stat.uid ? 6 : isMember ? 3 : 0;
  return ((stat.mode >> shift) & mask) === mask;
}
