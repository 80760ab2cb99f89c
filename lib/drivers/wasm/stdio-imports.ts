import type { WasmMemory } from './web-assembly.js';

/** WASI preview 1 error numbers and file types that are answered here. */
const SUCCESS = 0;
const EBADF = 8;
const EINVAL = 28;
const ESPIPE = 70;
const FILETYPE_UNKNOWN = 0;

export interface Stdio {
  /** What is left of the request. */
  stdin: Uint8Array;
  readonly env: readonly string[];
  write(stream: 'stdout' | 'stderr', chunk: Buffer): void;
}

type WasiFunction = (...args: never[]) => unknown;
export type WasiImports = Record<string, WasiFunction>;

/**
 * The WASI functions of standard input, output and error, and of the environment, on memory instead of
 * descriptors: no file, no system call, and each call of the driver its own. All else is `rest`'s.
 */
export function stdioImports(rest: WasiImports, memory: () => WasmMemory, stdio: () => Stdio): WasiImports {
  const view = (): DataView => new DataView(memory().buffer);
  const bytes = (at: number, size: number): Uint8Array => new Uint8Array(memory().buffer, at, size);
  const vectors = (at: number, count: number): Uint8Array[] => {
    const data = view();
    return Array.from({ length: count }, (_, i) =>
      bytes(data.getUint32(at + i * 8, true), data.getUint32(at + i * 8 + 4, true)),
    );
  };
  const passed =
    (name: string, own: (fd: number, ...args: number[]) => number) =>
    (fd: number, ...args: number[]): unknown =>
      fd > 2 ? (rest[name] as (...args: number[]) => unknown)(fd, ...args) : own(fd, ...args);
  const environment = (): Uint8Array[] => stdio().env.map((line) => Buffer.from(`${line}\0`));

  return {
    ...rest,
    fd_read: passed('fd_read', (fd, iovs = 0, count = 0, result = 0) => {
      if (fd !== 0) return EBADF;
      const io = stdio();
      let read = 0;
      for (const target of vectors(iovs, count)) {
        const part = io.stdin.subarray(0, target.length);
        target.set(part);
        io.stdin = io.stdin.subarray(part.length);
        read += part.length;
      }
      view().setUint32(result, read, true);
      return SUCCESS;
    }),
    fd_write: passed('fd_write', (fd, iovs = 0, count = 0, result = 0) => {
      if (fd === 0) return EBADF;
      const chunk = Buffer.concat(vectors(iovs, count));
      if (chunk.length > 0) stdio().write(fd === 1 ? 'stdout' : 'stderr', chunk);
      view().setUint32(result, chunk.length, true);
      return SUCCESS;
    }),
    fd_fdstat_get: passed('fd_fdstat_get', (_fd, result = 0) => {
      bytes(result, 24).fill(0);
      view().setUint8(result, FILETYPE_UNKNOWN);
      view().setBigUint64(result + 8, 0xffff_ffffn, true);
      return SUCCESS;
    }),
    fd_filestat_get: passed('fd_filestat_get', (_fd, result = 0) => {
      bytes(result, 64).fill(0);
      return SUCCESS;
    }),
    fd_seek: passed('fd_seek', () => ESPIPE),
    fd_tell: passed('fd_tell', () => ESPIPE),
    fd_pread: passed('fd_pread', () => ESPIPE),
    fd_pwrite: passed('fd_pwrite', () => ESPIPE),
    fd_close: passed('fd_close', () => SUCCESS),
    fd_renumber: passed('fd_renumber', () => EINVAL),
    environ_sizes_get: (count: number, size: number): number => {
      const all = environment();
      view().setUint32(count, all.length, true);
      view().setUint32(size, all.reduce((sum, one) => sum + one.length, 0), true); // prettier-ignore
      return SUCCESS;
    },
    environ_get: (pointers: number, buffer: number): number => {
      let at = buffer;
      environment().forEach((one, i) => {
        view().setUint32(pointers + i * 4, at, true);
        bytes(at, one.length).set(one);
        at += one.length;
      });
      return SUCCESS;
    },
  };
}
