import type { Caller } from '../../vfs/index.js';
import type { HostStat } from './host-stat.js';

/** What the mode bits say about `caller` (this process where unknown), as access(2) would; ACLs are not seen. */
export function mayAccess(stat: HostStat, mask: number, caller: Caller | undefined): boolean {
  const uid = caller?.uid ?? process.geteuid!();
  if (uid === 0) return (mask & 1) === 0 || (stat.mode & 0o111) !== 0 || stat.type === 0o040000;
  const groups = caller === undefined ? [process.getegid!(), ...process.getgroups!()] : [caller.gid];
  const shift = uid === stat.uid ? 6 : groups.includes(stat.gid) ? 3 : 0;
  return ((stat.mode >> shift) & mask) === mask;
}
