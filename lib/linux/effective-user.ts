/**
 * Whose rights this process has: its effective user and group, and its supplementary groups.
 * @throws TypeError on a system that has no such users
 */
export function effectiveUser(): { uid: number; gid: number; groups: number[] } {
  const uid = process.geteuid?.();
  const gid = process.getegid?.();
  const groups = process.getgroups?.();
  if (uid === undefined || gid === undefined || groups === undefined)
    throw new TypeError(`Processes have no user ids on ${process.platform}.`);
  return { uid, gid, groups };
}
