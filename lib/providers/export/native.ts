import { constants } from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { quietError } from '../../core/index.js';
import {
  ERRNO,
  O_CLOEXEC,
  O_PATH,
  bytesFromText,
  effectiveUser,
  errnoCodeFromNumber,
  isRawText,
  textFromBytes,
} from '../../linux/index.js';
import { hostErrorFromErrno } from './host-error.js';
import { STATX_MNT_ID, StatxBuffer, type HostStat } from './host-stat.js';

/**
 * System calls that Node has no function for, or only a slow one. All throw `FsError`. Names are single
 * names in the directory `dirFd`; nothing here follows a symlink, but for `/proc/self/fd/N` paths.
 */
export interface Native {
  /**
   * An O_PATH descriptor of the directory `path` below `rootFd`, by openat2(RESOLVE_BENEATH), on the same mount
   * unless `crossMounts`; null where the kernel has no openat2.
   */
  readonly openDirBeneath: ((rootFd: number, path: string, crossMounts: boolean) => number) | null;
  /** statx(2) of `name`, or of `dirFd` itself for the empty name. */
  stat(dirFd: number, name: string): HostStat;
  /** Undefined where there is no such name. */
  statIfThere(dirFd: number, name: string): HostStat | undefined;
  /** mknod(2); `mode` with the type. */
  makeNode(dirFd: number, name: string, mode: number): void;
  rename(fromFd: number, from: string, toFd: number, to: string, flags: number): void;
  /** `path` is followed: give `/proc/self/fd/N`. A time that is undefined stays. */
  setTimes(path: string, atimeNs: bigint | 'now' | undefined, mtimeNs: bigint | 'now' | undefined): void;
  allocate(fd: number, mode: number, at: number, length: number): void;
  /** lseek(2) with SEEK_DATA or SEEK_HOLE. Moves the descriptor's own offset, which nothing here uses. */
  seek(fd: number, from: number, what: 'data' | 'hole'): number;
  /** Gives what `fd` has open the name `name` in `dirFd`, even if it has none yet. */
  linkFd(fd: number, dirFd: number, name: string): void;
  /** Permission by the credentials in force, not by the real user. */
  access(dirFd: number, name: string, mask: number): void;
  getxattr(path: string, name: string): Uint8Array;
  setxattr(path: string, name: string, value: Uint8Array, flags: number): void;
  listxattr(path: string): string[];
  /** Of `name` itself, be it a symlink. */
  listxattrIn(dirFd: number, name: string): string[];
  removexattr(path: string, name: string): void;
  /** Fills `buffer` with raw `linux_dirent64` records; their bytes, 0 at the end. */
  getdents(fd: number, buffer: Uint8Array): number;
  /** What the page cache has, without waiting: the count, or -1 where it would wait or does not know. */
  readCached(fd: number, into: Uint8Array, at: number): number;
  /** This thread acts on files as somebody else until `becomeSelf`. Needs root. */
  become(uid: number, gid: number, groups: readonly number[]): void;
  becomeSelf(): void;
}

type Numbers = Readonly<
  Record<'mknodat' | 'getdents64' | 'renameat2' | 'setgroups' | 'openat2' | 'faccessat2', number>
>;

/** The numbers of calls that libc has no function for, or one that touches all threads. */
const NUMBERS = new Map<string, Numbers>([
  ['x64', { mknodat: 259, getdents64: 217, renameat2: 316, setgroups: 116, openat2: 437, faccessat2: 439 }],
  ['arm64', { mknodat: 33, getdents64: 61, renameat2: 276, setgroups: 159, openat2: 437, faccessat2: 439 }],
]);

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EACCESS = 0x200;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_FDCWD = -100;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const STATX_BASIC_AND_BTIME = 0xfff;
const STATX_MASK = STATX_BASIC_AND_BTIME | STATX_MNT_ID;
const RESOLVE_NO_XDEV = 0x01n;
const RESOLVE_NO_MAGICLINKS_NO_SYMLINKS_BENEATH = 0x02n | 0x04n | 0x08n;
const UTIME_NOW = 0x3fffffffn;
const UTIME_OMIT = 0x3ffffffen;
const RWF_NOWAIT = 8;
const XATTR_MAX_BYTES = 65_536;

let loaded: Native | null | undefined;

/** The calls, or null where they cannot be had (no koffi for this platform, another system). Loaded once. */
export function loadNative(): Native | null {
  if (loaded === undefined) loaded = tryLoad();
  return loaded;
}

function tryLoad(): Native | null {
  const numbers = NUMBERS.get(process.arch);
  if (process.platform !== 'linux' || numbers === undefined || endianness() !== 'LE') return null;
  try {
    return bindNative(createRequire(import.meta.url)('koffi') as Koffi, numbers);
  } catch {
    // Optional by contract: without it, exports work with what Node alone can do.
    return null;
  }
}

interface Koffi {
  load(path: null): { func(declaration: string): (...args: unknown[]) => number };
  errno(): number;
  address(value: Uint8Array): bigint;
}

function bindNative(koffi: Koffi, numbers: Numbers): Native {
  const libc = koffi.load(null);
  const statx = libc.func('int statx(int dir, const char *path, int flags, unsigned int mask, void *out)');
  const openat2 = libc.func('long syscall(long number, int dir, const char *path, void *how, size_t size)');
  const mknodat = libc.func('long syscall(long number, int dir, const char *path, int mode, int device)');
  const renameat2 = libc.func(
    'long syscall(long number, int from, const char *path, int to, const char *toPath, unsigned int flags)',
  );
  const faccessat2 = libc.func('long syscall(long number, int dir, const char *path, int mode, int flags)');
  const getdents64 = libc.func('long syscall(long number, int fd, void *out, size_t size)');
  const setgroups = libc.func('long syscall(long number, long count, void *list)');
  const utimensat = libc.func('int utimensat(int dir, const char *path, void *times, int flags)');
  const fallocate = libc.func('int fallocate(int fd, int mode, int64_t at, int64_t length)');
  const lseek = libc.func('int64_t lseek(int fd, int64_t from, int whence)');
  const linkat = libc.func('int linkat(int from, const char *path, int to, const char *toPath, int flags)');
  const getxattr = libc.func('long getxattr(const char *path, const char *name, void *value, size_t size)');
  const setxattr = libc.func(
    'int setxattr(const char *path, const char *name, void *value, size_t size, int flags)',
  );
  const listxattr = libc.func('long listxattr(const char *path, void *list, size_t size)');
  const llistxattr = libc.func('long llistxattr(const char *path, void *list, size_t size)');
  const removexattr = libc.func('int removexattr(const char *path, const char *name)');
  const preadv2 = libc.func('long preadv2(int fd, void *vector, int count, int64_t at, int flags)');
  const setfsuid = libc.func('int setfsuid(unsigned int uid)');
  const setfsgid = libc.func('int setfsgid(unsigned int gid)');

  const check = (result: number): number => {
    if (result >= 0) return result;
    throw hostErrorFromErrno(koffi.errno());
  };
  const buffer = new StatxBuffer();
  const howAcrossMounts = openHow(RESOLVE_NO_MAGICLINKS_NO_SYMLINKS_BENEATH);
  const how = openHow(RESOLVE_NO_MAGICLINKS_NO_SYMLINKS_BENEATH | RESOLVE_NO_XDEV);
  const vector = new BigUint64Array(2);
  const vectorBytes = Buffer.from(vector.buffer);
  const own = effectiveUser();

  const statInto = (dirFd: number, name: string): number =>
    statx(
      dirFd,
      cText(name),
      name === '' ? AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW : AT_SYMLINK_NOFOLLOW,
      STATX_MASK,
      buffer.bytes,
    );
  const attribute = (name: string): never => {
    const errno = koffi.errno();
    throw errno === ERRNO.ENODATA
      ? quietError('ENODATA', `There is no attribute ${JSON.stringify(name)}.`)
      : hostErrorFromErrno(errno);
  };
  /** Calls with growing buffers, as a value may grow between asking its size and reading it. */
  const readAll = (call: (into: Buffer) => number): Buffer | undefined => {
    for (let size = 256; ; size = XATTR_MAX_BYTES) {
      const into = Buffer.alloc(size);
      const count = call(into);
      if (count >= 0) return into.subarray(0, count);
      if (koffi.errno() !== ERRNO.ERANGE || size === XATTR_MAX_BYTES) return undefined;
    }
  };
  const namesFrom = (call: (into: Buffer) => number): string[] => {
    const bytes = readAll(call);
    if (bytes === undefined) throw hostErrorFromErrno(koffi.errno());
    return bytes.length === 0 ? [] : textFromBytes(bytes).split('\0').slice(0, -1);
  };
  const setGroups = (groups: readonly number[]): void => {
    check(setgroups(numbers.setgroups, groups.length, Buffer.from(Uint32Array.from(groups).buffer)));
  };

  const hasOpenat2 = ((): boolean => {
    const fd = openat2(numbers.openat2, -1, 'x', how, 24);
    return fd < 0 && errnoCodeFromNumber(koffi.errno()) === 'EBADF';
  })();

  return {
    openDirBeneath: hasOpenat2
      ? (rootFd, path, crossMounts) =>
          check(openat2(numbers.openat2, rootFd, cText(path), crossMounts ? howAcrossMounts : how, 24))
      : null,
    stat: (dirFd, name) => {
      check(statInto(dirFd, name));
      return buffer.stat();
    },
    statIfThere: (dirFd, name) => {
      if (statInto(dirFd, name) >= 0) return buffer.stat();
      const errno = koffi.errno();
      if (errno === ERRNO.ENOENT) return undefined;
      throw hostErrorFromErrno(errno);
    },
    makeNode: (dirFd, name, mode) => void check(mknodat(numbers.mknodat, dirFd, cText(name), mode, 0)),
    rename: (fromFd, from, toFd, to, flags) =>
      void check(renameat2(numbers.renameat2, fromFd, cText(from), toFd, cText(to), flags)),
    setTimes: (path, atimeNs, mtimeNs) => {
      const times = Buffer.from(BigInt64Array.from([...timespec(atimeNs), ...timespec(mtimeNs)]).buffer);
      check(utimensat(AT_FDCWD, path, times, 0));
    },
    allocate: (fd, mode, at, length) => void check(fallocate(fd, mode, at, length)),
    seek: (fd, from, what) => check(lseek(fd, from, what === 'data' ? SEEK_DATA : SEEK_HOLE)),
    linkFd: (fd, dirFd, name) =>
      void check(linkat(AT_FDCWD, `/proc/self/fd/${fd}`, dirFd, cText(name), AT_SYMLINK_FOLLOW)),
    access: (dirFd, name, mask) =>
      void check(
        faccessat2(
          numbers.faccessat2,
          dirFd,
          cText(name),
          mask,
          AT_EACCESS | AT_SYMLINK_NOFOLLOW | (name === '' ? AT_EMPTY_PATH : 0),
        ),
      ),
    getxattr: (path, name) =>
      readAll((into) => getxattr(path, cText(name), into, into.length)) ?? attribute(name),
    setxattr: (path, name, value, flags) =>
      void check(
        setxattr(path, cText(name), value.length === 0 ? Buffer.alloc(1) : value, value.length, flags),
      ),
    listxattr: (path) => namesFrom((into) => listxattr(path, into, into.length)),
    listxattrIn: (dirFd, name) => {
      const path = cText(`/proc/self/fd/${dirFd}/${name}`);
      return namesFrom((into) => llistxattr(path, into, into.length));
    },
    removexattr: (path, name) => {
      if (removexattr(path, cText(name)) < 0) attribute(name);
    },
    getdents: (fd, into) => check(getdents64(numbers.getdents64, fd, into, into.length)),
    readCached: (fd, into, at) => {
      vector[0] = koffi.address(into);
      vector[1] = BigInt(into.length);
      return preadv2(fd, vectorBytes, 1, at, RWF_NOWAIT);
    },
    become: (uid, gid, groups) => {
      setGroups(groups);
      setfsgid(gid);
      setfsuid(uid);
    },
    becomeSelf: () => {
      setfsuid(own.uid);
      setfsgid(own.gid);
      setGroups(own.groups);
    },
  };
}

/** `struct open_how` of openat2(2), for a descriptor that only names a directory. */
function openHow(resolve: bigint): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC | constants.O_DIRECTORY), 0);
  how.writeBigUInt64LE(resolve, 16);
  return how;
}

/** A name or path as a C function takes it. */
function cText(text: string): string | Buffer {
  return isRawText(text) ? bytesFromText(`${text}\0`) : text;
}

function timespec(time: bigint | 'now' | undefined): [bigint, bigint] {
  if (time === undefined) return [0n, UTIME_OMIT];
  if (time === 'now') return [0n, UTIME_NOW];
  const nanoseconds = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [(time - nanoseconds) / 1_000_000_000n, nanoseconds];
}
