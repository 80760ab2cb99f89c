import { getSystemErrorMap } from 'node:util';
import { FsError } from '../../core/index.js';
import { errnoCodeFromNumber } from '../../linux/index.js';

/** The error of a system call that failed with the positive number `errno`. */
export function hostErrorFromErrno(errno: number, cause?: unknown): FsError {
  const known = getSystemErrorMap().get(-errno);
  const text = known === undefined ? `error ${errno} of the system` : known[1];
  const message = `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  return new FsError(errnoCodeFromNumber(errno) ?? 'EIO', message, cause === undefined ? {} : { cause });
}

/** As `FsError.from`, but by the number: Node has names of its own for some (ENOTSUP for EOPNOTSUPP). */
export function hostErrorFrom(thrown: unknown): FsError {
  if (FsError.is(thrown)) return thrown;
  const errno = thrown instanceof Error ? (thrown as { errno?: unknown }).errno : undefined;
  if (typeof errno === 'number' && errno < 0) return hostErrorFromErrno(-errno, thrown);
  return FsError.from(thrown);
}
