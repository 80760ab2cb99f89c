import { FsError, reasonOf } from '../core/index.js';
import type { ErrnoCode } from '../linux/index.js';

const HINTS: Partial<Record<ErrnoCode, string>> = {
  ENOSPC: 'The disk is full. Make room there, or give a --state-dir on another disk.',
  EDQUOT: 'Your quota is used up. Make room there, or give a --state-dir elsewhere.',
  EROFS: 'It is on a read-only file system. Give a --state-dir that can be written.',
  EACCES: 'Give a --state-dir that this user may write.',
  EPERM: 'Give a --state-dir that this user may write.',
  ENOTDIR: 'A part of its path is no directory. Give another --state-dir.',
  EEXIST: 'A file is in its place. Give another --state-dir.',
  EISDIR: 'A directory is in the place of one of its files. Move it away, or give another --state-dir.',
};

const SQLITE = new Map<unknown, ErrnoCode>([
  ['SQLITE_FULL', 'ENOSPC'],
  ['SQLITE_READONLY', 'EROFS'],
  ['SQLITE_CANTOPEN', 'EACCES'],
  ['SQLITE_IOERR', 'EIO'],
]);

const OF_SOCKETS = new Set(['listen', 'bind', 'connect', 'getaddrinfo']);

/**
 * What the system refused about state, with the place of the state. What has its place already, and what has
 * nothing to do with files, stays as it is.
 */
export function stateFailure(thrown: unknown, stateDir: string): unknown {
  const refusal = FsError.is(thrown) && thrown.path === undefined ? (thrown.cause ?? thrown) : thrown;
  if (!(refusal instanceof Error) || FsError.is(refusal)) return thrown;
  const { code: named, syscall, message } = refusal as NodeJS.ErrnoException;
  const isDatabase = named?.startsWith('SQLITE') === true || message.startsWith('ConnectionFailed');
  if (!isDatabase && (syscall === undefined || OF_SOCKETS.has(syscall))) return thrown;
  const code = SQLITE.get(named) ?? FsError.from(refusal).code;
  const hint = HINTS[code];
  const why = message.startsWith('ConnectionFailed') ? 'its database cannot be opened' : reasonOf(refusal);
  return new FsError(code, `State cannot be kept in ${stateDir}: ${why}.`, {
    ...(hint === undefined ? {} : { hint }),
    path: stateDir,
    cause: thrown,
  });
}
