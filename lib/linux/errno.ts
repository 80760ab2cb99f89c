/** Error numbers (errno.h), by name. The negative form exists only in `lib/fuse`. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ETIMEDOUT: 110,
  EHOSTDOWN: 112,
  ESTALE: 116,
  EDQUOT: 122,
  ECANCELED: 125,
} as const;

export type ErrnoCode = keyof typeof ERRNO;

const CODES = new Map<string, number>(Object.entries(ERRNO));
const NAMES = new Map<number, ErrnoCode>(
  Object.entries(ERRNO).map(([name, number]) => [number, name as ErrnoCode]),
);

export function isErrnoCode(text: unknown): text is ErrnoCode {
  return typeof text === 'string' && CODES.has(text);
}

/** The name of a positive Linux error number, if the table has it. */
export function errnoCodeFromNumber(errno: number): ErrnoCode | undefined {
  return NAMES.get(errno);
}
