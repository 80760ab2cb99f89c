import { O_ACCMODE, O_APPEND, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from '../linux/index.js';
import type { OpenFlags } from './types.js';

/** What flags of open(2), in Linux's numbers, ask for. */
export function openFlagsFrom(flags: number): OpenFlags {
  const access = flags & O_ACCMODE;
  return {
    read: access !== O_WRONLY,
    write: access !== O_RDONLY,
    append: (flags & O_APPEND) !== 0,
    truncate: (flags & O_TRUNC) !== 0,
    exclusive: (flags & O_EXCL) !== 0,
    ...((flags & O_DSYNC) === 0 ? {} : { sync: true }),
  };
}

/** The same as flags of open(2). */
export function bitsFromOpenFlags(flags: OpenFlags): number {
  return (
    (flags.write ? (flags.read ? O_RDWR : O_WRONLY) : O_RDONLY) |
    (flags.append ? O_APPEND : 0) |
    (flags.truncate ? O_TRUNC : 0) |
    (flags.exclusive ? O_EXCL : 0) |
    (flags.sync === true ? O_DSYNC : 0)
  );
}
