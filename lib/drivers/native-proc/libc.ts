import { createRequire } from 'node:module';
import { O_CLOEXEC, O_NONBLOCK } from '../../linux/index.js';

/** What the rules for drivers need of the system beyond Node's own calls. */
export interface Libc {
  /** Sets a yes-or-no attribute of the thread or process; false where the kernel refuses. */
  prctl(option: number): boolean;
  /** Marks every descriptor from `first` on as close-on-exec; false where the system has no such call. */
  sealFrom(first: number): boolean;
  setCloseOnExec(fd: number): boolean;
  /** A file in memory without a name, close-on-exec, that can be sealed, or executed; -1 where there is none to be had. */
  memfd(name: string, use?: 'sealed' | 'executed'): number;
  /** A new pipe, close-on-exec: the end to read from, and the end to write to; null where there is none to be had. */
  pipe(options?: { readonly nonblocking: boolean }): readonly [read: number, write: number] | null;
  /** No byte of the file can be changed from now on, by anyone. */
  sealFile(fd: number): void;
  /** Takes the exit of a child: its status (wait(2)), or `gone` where somebody has taken that. Never waits. */
  exitOf(pid: number): number | 'running' | 'gone';
}

const F_SETFD = 2;
const F_ADD_SEALS = 1033;
const FD_CLOEXEC = 1;
const CLOSE_RANGE_CLOEXEC = 4;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
/** Seal, shrink, grow, write. */
const ALL_SEALS = 1 | 2 | 4 | 8;
const WNOHANG = 1;
const EVERY_FD = 0xffff_ffff;

let loaded: Libc | null | undefined;

/** Null where it cannot be had: another system, or no koffi for this platform. */
export function loadLibc(): Libc | null {
  if (loaded === undefined) loaded = process.platform === 'linux' ? tryLoad() : null;
  return loaded;
}

type Func = (...args: unknown[]) => number;

function tryLoad(): Libc | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    const func = (declaration: string): Func | undefined => {
      try {
        return library.func(declaration) as Func;
      } catch {
        return undefined; // an older C library
      }
    };
    const prctl = func('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)'); // prettier-ignore
    const closeRange = func('int close_range(unsigned int first, unsigned int last, unsigned int flags)');
    const fcntl = func('int fcntl(int fd, int command, int argument)');
    const memfdCreate = func('int memfd_create(const char *name, unsigned int flags)');
    const pipe2 = func('int pipe2(int *ends, int flags)');
    const waitpid = func('int waitpid(int pid, void *status, int options)');
    return {
      prctl: (option) => prctl?.(option, 1, 0, 0, 0) === 0,
      sealFrom: (first) => closeRange?.(first, EVERY_FD, CLOSE_RANGE_CLOEXEC) === 0,
      setCloseOnExec: (fd) => fcntl?.(fd, F_SETFD, FD_CLOEXEC) === 0,
      memfd: (name, use = 'sealed') => {
        if (memfdCreate === undefined) return -1;
        if (use === 'sealed') return memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const fd = memfdCreate(name, MFD_CLOEXEC | MFD_EXEC);
        return fd === -1 ? memfdCreate(name, MFD_CLOEXEC) : fd; // Before Linux 6.3 there is no such flag, nor need of it.
      },
      pipe: ({ nonblocking } = { nonblocking: false }) => {
        const ends = new Int32Array(2);
        if (pipe2?.(ends, nonblocking ? O_CLOEXEC | O_NONBLOCK : O_CLOEXEC) !== 0) return null;
        const [read = -1, write = -1] = ends;
        return [read, write];
      },
      sealFile: (fd) => void fcntl?.(fd, F_ADD_SEALS, ALL_SEALS),
      exitOf: (pid) => {
        const status = new Int32Array(1);
        const result = waitpid?.(pid, status, WNOHANG) ?? 0;
        if (result === 0) return 'running';
        const [word = 0] = status;
        return result === pid ? word : 'gone';
      },
    };
  } catch {
    // Optional by contract: what needs it is left out.
    return null;
  }
}
