import type { Call } from '../call.js';
import { FUSE_FSYNC_FDATASYNC, OPCODES, type OpcodeName } from '../constants.js';
import { putEntryOut, putOpenOut } from '../encode.js';
import { ENOSYS, Errno } from '../errno.js';
import type { Filesystem } from '../filesystem.js';
import type { Answer, EntryOut, OpenOut } from '../values.js';
import type { Request } from '../request.js';
import { fuse_fsync_in } from '../structs.js';

/** How one kind of request is read, handed on, and its answer written. */
export interface Operation<Result> {
  /** The size of the fixed part of the body: anything shorter is malformed. */
  readonly minBytes: number;
  /** Decodes `request` and calls `fs`. What it passes on is a copy, but for the data of a write. */
  run(fs: Filesystem, request: Request, call: Call): Answer<Result>;
  /** A caller that waits for it gives up with EINTR at any signal, and the kernel restarts it where that is wanted. */
  readonly restarts?: boolean;
  /** Writes the fixed answer at `start` of `out`, and gives its end. */
  put?(out: DataView, result: Result, start: number): number;
  /** The bytes that follow the header instead. */
  payload?(result: Result): Uint8Array;
  /** The kernel did not take the answer: what it would have given back later is given back now. */
  undo?(fs: Filesystem, result: Result, call: Call): void;
}

/** The operation, with the number of the request that it is for. */
export function on<Result>(
  name: OpcodeName,
  operation: Operation<Result>,
): readonly [opcode: number, operation: Operation<unknown>] {
  return [OPCODES[name], operation];
}

export const NOSYS = Errno.of(ENOSYS);

/** The mode of what `call` makes, less the bits of its umask, which FUSE_DONT_MASK leaves to us. */
export function maskedMode(mode: number, umask: number, call: Call): number {
  call.masked = mode & umask & 0o777;
  return mode & ~call.masked;
}

/** Answers that several requests share. */
export const entry = {
  put: (out: DataView, result: EntryOut, start: number) => putEntryOut(out, result, start),
  undo: (fs: Filesystem, result: EntryOut) => fs.forget?.(result.nodeid, 1),
};
export const opened = {
  put: (out: DataView, result: OpenOut, start: number) => putOpenOut(out, result, start),
};

/** Whether an fsync is content without the attributes. */
export function isDataOnly(r: Request): boolean {
  return (r.u32(fuse_fsync_in.at.fsync_flags) & FUSE_FSYNC_FDATASYNC) !== 0;
}

/** A handler's undo may answer late or refuse; nobody is left to report it to. */
export function unheard(answer: Answer<void> | undefined): void {
  if (answer instanceof Promise) answer.catch(() => undefined);
}
