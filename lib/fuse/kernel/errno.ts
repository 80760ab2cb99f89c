import { ERRNO } from '../../linux/index.js';

/**
 * How a handler refuses: it throws, or returns, an `Errno`. It is no `Error`, so it costs no stack trace;
 * one object per number is made and kept.
 */
export class Errno {
  /** The positive Linux number (errno.h). */
  readonly errno: number;

  private constructor(errno: number) {
    this.errno = errno;
  }

  static readonly #made = new Map<number, Errno>();

  /** @throws RangeError where `errno` is no error number that the kernel takes (1 to 999). */
  static of(errno: number): Errno {
    let found = Errno.#made.get(errno);
    if (found === undefined) {
      if (!Number.isInteger(errno) || errno < 1 || errno > 999)
        throw new RangeError(`${errno} is not an errno.`);
      found = new Errno(errno);
      Errno.#made.set(errno, found);
    }
    return found;
  }
}

export const { EPERM, ENOENT, EINTR, EIO, ENODEV, EINVAL, ERANGE, ENOSYS, EPROTO, ECANCELED } = ERRNO;
