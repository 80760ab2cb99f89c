/** Flags of open(2), as asm-generic/fcntl.h has them. */
export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
/** Also a part of O_SYNC. */
export const O_DSYNC = 0o10000;
export const O_CLOEXEC = 0o2000000;
/** A descriptor that names a file and gives no access to its content. */
export const O_PATH = 0o10000000;
/** The bit of O_TMPFILE itself; O_DIRECTORY, which belongs to it, has another number on some machines. */
export const O_TMPFILE_BIT = 0o20000000;
