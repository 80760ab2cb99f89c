import { randomFillSync } from 'node:crypto';
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
type AnyFunction = (...args: number[]) => number;
export type WasiImports = Record<string, WasiFunction>;

/** A program that has ended itself. */
export class ProgramExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`It exited with status ${status}.`);
    this.status = status;
  }
}

/** What the functions work on: the instance that runs, of those that have them. */
export interface Running {
  readonly memory: () => WasmMemory;
  readonly stdio: () => Stdio;
  /** Node's own WASI, for descriptors beyond the standard streams; null where the module has no way to get any. */
  readonly rest: () => WasiImports | null;
}

/**
 * The WASI functions of standard input, output and error, of arguments and of the environment, on memory instead of
 * descriptors: no file, no system call, and each call of the driver its own. They serve one instance after the other: functions made for
 * one alone would never become quick.
 */
export function stdioImports(args: readonly string[], { memory, stdio, rest }: Running): WasiImports {
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
      fd > 2 ? ((rest()?.[name] as AnyFunction | undefined)?.(fd, ...args) ?? EBADF) : own(fd, ...args);
  const sizes = (texts: readonly Uint8Array[], count: number, size: number): number => {
    view().setUint32(count, texts.length, true);
    view().setUint32(size, texts.reduce((sum, one) => sum + one.length, 0), true); // prettier-ignore
    return SUCCESS;
  };
  const list = (texts: readonly Uint8Array[], pointers: number, buffer: number): number => {
    let at = buffer;
    texts.forEach((one, i) => {
      view().setUint32(pointers + i * 4, at, true);
      bytes(at, one.length).set(one);
      at += one.length;
    });
    return SUCCESS;
  };
  const words = args.map(withEnd);

  return {
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
    environ_sizes_get: (count: number, size: number) => sizes(stdio().env.map(withEnd), count, size),
    environ_get: (pointers: number, buffer: number) => list(stdio().env.map(withEnd), pointers, buffer),
    args_sizes_get: (count: number, size: number) => sizes(words, count, size),
    args_get: (pointers: number, buffer: number) => list(words, pointers, buffer),
    // No folder is open.
    fd_prestat_get: () => EBADF,
    fd_prestat_dir_name: () => EBADF,
    random_get: (at: number, size: number) => {
      randomFillSync(bytes(at, size));
      return SUCCESS;
    },
    sched_yield: () => SUCCESS,
    proc_exit: (status: number) => {
      throw new ProgramExit(status);
    },
  };
}

function withEnd(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}
