import type { Call } from './call.js';
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_FH,
  FATTR_GID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  FUSE_FSYNC_FDATASYNC,
  FUSE_GETATTR_FH,
  INIT_FLAGS,
  OPCODES,
  type OpcodeName,
} from './constants.js';
import { DirentList } from './dirents.js';
import { putAttrOut, putEntryOut, putOpenOut, putStatfsOut } from './encode.js';
import { EINVAL, ENOSYS, EPERM, ERANGE, Errno } from './errno.js';
import type { Answer, AttrOut, CreateOut, EntryOut, Filesystem, OpenOut, SetattrIn } from './filesystem.js';
import { writeU64 } from './layout.js';
import type { Agreement } from './negotiate.js';
import type { Request } from './request.js';
import * as s from './structs.js';

/** How one kind of request is read, handed on, and its answer written. */
interface Operation<Result> {
  /** The size of the fixed part of the body: anything shorter is malformed. */
  readonly minBytes: number;
  /** Decodes `request` and calls `fs`. Everything that it keeps is its own. */
  run(fs: Filesystem, request: Request, call: Call, agreed: Agreement): Answer<Result>;
  /** Writes the fixed answer at `start` of `out`, and gives its end. */
  put?(out: Buffer, result: Result, start: number): number;
  /** The bytes that follow the header instead. */
  payload?(result: Result): Uint8Array;
  /** The kernel did not take the answer: what it would have given back later is given back now. */
  undo?(fs: Filesystem, result: Result, call: Call): void;
}

const NOSYS = Errno.of(ENOSYS);
const table: (Operation<unknown> | undefined)[] = [];

export function operationOf(opcode: number): Operation<unknown> | undefined {
  return table[opcode];
}

function on<Result>(name: OpcodeName, operation: Operation<Result>): void {
  table[OPCODES[name]] = operation;
}

// --- answers that several requests share

const entry = {
  put: (out: Buffer, result: EntryOut, start: number) => putEntryOut(out, result, start),
  undo: (fs: Filesystem, result: EntryOut) => fs.forget?.(result.nodeid, 1),
};
const attr = { put: (out: Buffer, result: AttrOut, start: number) => putAttrOut(out, result, start) };
const put = (out: Buffer, result: OpenOut, start: number): number => putOpenOut(out, result, start);
const written = {
  put(out: Buffer, size: number, start: number): number {
    out.writeUInt32LE(size, start + s.fuse_write_out.at.size);
    out.writeUInt32LE(0, start + s.fuse_write_out.at.padding);
    return start + s.fuse_write_out.byteLength;
  },
};

/** A handler's undo may answer late or refuse; there is nobody to tell. */
function unheard(answer: Answer<void> | undefined): void {
  if (answer instanceof Promise) answer.catch(() => undefined);
}

// --- names

on<EntryOut>('FUSE_LOOKUP', {
  minBytes: 1,
  run: (fs, r, call) => (fs.lookup === undefined ? NOSYS : fs.lookup(r.nodeid, r.text(0), call)),
  ...entry,
});

on<EntryOut>('FUSE_SYMLINK', {
  minBytes: 2,
  run: (fs, r, call) =>
    fs.symlink === undefined ? NOSYS : fs.symlink(r.nodeid, r.text(0), r.text(r.after(0)), call),
  ...entry,
});

on<EntryOut>('FUSE_MKNOD', {
  minBytes: s.fuse_mknod_in.byteLength + 1,
  run(fs, r, call) {
    if (fs.mknod === undefined) return Errno.of(EPERM);
    const at = s.fuse_mknod_in.at;
    return fs.mknod(r.nodeid, r.text(s.fuse_mknod_in.byteLength), r.u32(at.mode), r.u32(at.rdev), call);
  },
  ...entry,
});

on<EntryOut>('FUSE_MKDIR', {
  minBytes: s.fuse_mkdir_in.byteLength + 1,
  run(fs, r, call) {
    if (fs.mkdir === undefined) return NOSYS;
    return fs.mkdir(r.nodeid, r.text(s.fuse_mkdir_in.byteLength), r.u32(s.fuse_mkdir_in.at.mode), call);
  },
  ...entry,
});

on<EntryOut>('FUSE_LINK', {
  minBytes: s.fuse_link_in.byteLength + 1,
  run(fs, r, call) {
    if (fs.link === undefined) return NOSYS;
    return fs.link(r.u64(s.fuse_link_in.at.oldnodeid), r.nodeid, r.text(s.fuse_link_in.byteLength), call);
  },
  ...entry,
});

on<void>('FUSE_UNLINK', {
  minBytes: 1,
  run: (fs, r, call) => (fs.unlink === undefined ? NOSYS : fs.unlink(r.nodeid, r.text(0), call)),
});

on<void>('FUSE_RMDIR', {
  minBytes: 1,
  run: (fs, r, call) => (fs.rmdir === undefined ? NOSYS : fs.rmdir(r.nodeid, r.text(0), call)),
});

on<void>('FUSE_RENAME', {
  minBytes: s.fuse_rename_in.byteLength + 2,
  run: (fs, r, call) =>
    rename(fs, r, r.u64(s.fuse_rename_in.at.newdir), 0, s.fuse_rename_in.byteLength, call),
});

on<void>('FUSE_RENAME2', {
  minBytes: s.fuse_rename2_in.byteLength + 2,
  run(fs, r, call) {
    const at = s.fuse_rename2_in.at;
    return rename(fs, r, r.u64(at.newdir), r.u32(at.flags), s.fuse_rename2_in.byteLength, call);
  },
});

function rename(
  fs: Filesystem,
  r: Request,
  newParent: number,
  flags: number,
  names: number,
  call: Call,
): Answer<void> {
  if (fs.rename === undefined) return NOSYS;
  return fs.rename(r.nodeid, r.text(names), newParent, r.text(r.after(names)), flags, call);
}

// --- attributes

on<AttrOut>('FUSE_GETATTR', {
  minBytes: s.fuse_getattr_in.byteLength,
  run(fs, r, call) {
    if (fs.getattr === undefined) return NOSYS;
    const at = s.fuse_getattr_in.at;
    const fh = (r.u32(at.getattr_flags) & FUSE_GETATTR_FH) === 0 ? undefined : r.u64(at.fh);
    return fs.getattr(r.nodeid, fh, call);
  },
  ...attr,
});

on<AttrOut>('FUSE_SETATTR', {
  minBytes: s.fuse_setattr_in.byteLength,
  run: (fs, r, call) => (fs.setattr === undefined ? NOSYS : fs.setattr(r.nodeid, decodeSetattr(r), call)),
  ...attr,
});

function decodeSetattr(r: Request): SetattrIn {
  const at = s.fuse_setattr_in.at;
  const valid = r.u32(at.valid);
  const time = (now: number, given: number, seconds: number, nanos: number): bigint | 'now' | undefined => {
    if ((valid & now) !== 0) return 'now';
    if ((valid & given) === 0) return undefined;
    return r.i64(seconds) * 1_000_000_000n + BigInt(r.u32(nanos));
  };
  const change: { -readonly [Key in keyof SetattrIn]: SetattrIn[Key] } = {};
  if ((valid & FATTR_FH) !== 0) change.fh = r.u64(at.fh);
  if ((valid & FATTR_MODE) !== 0) change.mode = r.u32(at.mode);
  if ((valid & FATTR_UID) !== 0) change.uid = r.u32(at.uid);
  if ((valid & FATTR_GID) !== 0) change.gid = r.u32(at.gid);
  if ((valid & FATTR_SIZE) !== 0) change.size = r.u64(at.size);
  const atime = time(FATTR_ATIME_NOW, FATTR_ATIME, at.atime, at.atimensec);
  if (atime !== undefined) change.atimeNs = atime;
  const mtime = time(FATTR_MTIME_NOW, FATTR_MTIME, at.mtime, at.mtimensec);
  if (mtime !== undefined) change.mtimeNs = mtime;
  return change;
}

on<string>('FUSE_READLINK', {
  minBytes: 0,
  run: (fs, r, call) => (fs.readlink === undefined ? NOSYS : fs.readlink(r.nodeid, call)),
  payload: (target) => Buffer.from(target),
});

on<void>('FUSE_ACCESS', {
  minBytes: s.fuse_access_in.byteLength,
  run: (fs, r, call) =>
    fs.access === undefined ? NOSYS : fs.access(r.nodeid, r.u32(s.fuse_access_in.at.mask), call),
});

on('FUSE_STATFS', {
  minBytes: 0,
  run: (fs, r, call) => (fs.statfs === undefined ? NOSYS : fs.statfs(r.nodeid, call)),
  put: putStatfsOut,
});

// --- extended attributes

on<void>('FUSE_SETXATTR', {
  minBytes: s.FUSE_COMPAT_SETXATTR_IN_SIZE + 1,
  run(fs, r, call, agreed) {
    if (fs.setxattr === undefined) return NOSYS;
    const at = s.fuse_setxattr_in.at;
    const extended = (agreed.flags & INIT_FLAGS.FUSE_SETXATTR_EXT) !== 0n;
    const nameAt = extended ? s.fuse_setxattr_in.byteLength : s.FUSE_COMPAT_SETXATTR_IN_SIZE;
    const value = r.copy(r.after(nameAt), r.u32(at.size));
    return fs.setxattr(r.nodeid, r.text(nameAt), value, r.u32(at.flags), call);
  },
});

/** Asked with size 0 the answer is a size; else the bytes, or ERANGE where they do not fit. */
type XattrOut = { readonly size: number } | { readonly bytes: Uint8Array };

function xattrOut(bytes: Uint8Array, asked: number): XattrOut | Errno {
  if (asked === 0) return { size: bytes.byteLength };
  return bytes.byteLength > asked ? Errno.of(ERANGE) : { bytes };
}

function xattr<Result>(
  answer: Answer<Result>,
  asked: number,
  bytesOf: (result: Result) => Uint8Array,
): Answer<XattrOut> {
  const finish = (result: Result | Errno): XattrOut | Errno =>
    result instanceof Errno ? result : xattrOut(bytesOf(result), asked);
  return answer instanceof Promise ? answer.then(finish) : finish(answer);
}

const xattrAnswer = {
  payload(result: XattrOut): Uint8Array {
    if ('bytes' in result) return result.bytes;
    const out = Buffer.alloc(s.fuse_getxattr_out.byteLength);
    out.writeUInt32LE(result.size, s.fuse_getxattr_out.at.size);
    return out;
  },
};

on<XattrOut>('FUSE_GETXATTR', {
  minBytes: s.fuse_getxattr_in.byteLength + 1,
  run(fs, r, call) {
    if (fs.getxattr === undefined) return NOSYS;
    const answer = fs.getxattr(r.nodeid, r.text(s.fuse_getxattr_in.byteLength), call);
    return xattr(answer, r.u32(s.fuse_getxattr_in.at.size), (value) => value);
  },
  ...xattrAnswer,
});

on<XattrOut>('FUSE_LISTXATTR', {
  minBytes: s.fuse_getxattr_in.byteLength,
  run(fs, r, call) {
    if (fs.listxattr === undefined) return NOSYS;
    const listed = (names: readonly string[]): Buffer =>
      Buffer.from(names.map((name) => `${name}\0`).join(''));
    return xattr(fs.listxattr(r.nodeid, call), r.u32(s.fuse_getxattr_in.at.size), listed);
  },
  ...xattrAnswer,
});

on<void>('FUSE_REMOVEXATTR', {
  minBytes: 1,
  run: (fs, r, call) => (fs.removexattr === undefined ? NOSYS : fs.removexattr(r.nodeid, r.text(0), call)),
});

// --- files

on<OpenOut>('FUSE_OPEN', {
  minBytes: s.fuse_open_in.byteLength,
  run: (fs, r, call) =>
    fs.open === undefined ? NOSYS : fs.open(r.nodeid, r.u32(s.fuse_open_in.at.flags), call),
  put,
  undo: (fs, result, call) => unheard(fs.release?.(call.nodeid, result.fh, call)),
});

on<CreateOut>('FUSE_CREATE', {
  minBytes: s.fuse_create_in.byteLength + 1,
  run(fs, r, call) {
    if (fs.create === undefined) return NOSYS;
    const at = s.fuse_create_in.at;
    return fs.create(r.nodeid, r.text(s.fuse_create_in.byteLength), r.u32(at.flags), r.u32(at.mode), call);
  },
  put: (out, result, start) => putOpenOut(out, result.open, putEntryOut(out, result.entry, start)),
  undo(fs, result, call) {
    unheard(fs.release?.(result.entry.nodeid, result.open.fh, call));
    fs.forget?.(result.entry.nodeid, 1);
  },
});

on<Uint8Array>('FUSE_READ', {
  minBytes: s.fuse_read_in.byteLength,
  run(fs, r, call) {
    if (fs.read === undefined) return NOSYS;
    const at = s.fuse_read_in.at;
    return fs.read(r.nodeid, r.u64(at.fh), r.u64(at.offset), r.u32(at.size), call);
  },
  payload: (bytes) => bytes,
});

on<number>('FUSE_WRITE', {
  minBytes: s.fuse_write_in.byteLength,
  run(fs, r, call) {
    if (fs.write === undefined) return NOSYS;
    const at = s.fuse_write_in.at;
    const data = r.copy(s.fuse_write_in.byteLength, r.u32(at.size));
    return fs.write(r.nodeid, r.u64(at.fh), r.u64(at.offset), data, call);
  },
  ...written,
});

on<void>('FUSE_FLUSH', {
  minBytes: s.fuse_flush_in.byteLength,
  run: (fs, r, call) =>
    fs.flush === undefined ? NOSYS : fs.flush(r.nodeid, r.u64(s.fuse_flush_in.at.fh), call),
});

on<void>('FUSE_RELEASE', {
  minBytes: s.fuse_release_in.byteLength,
  run: (fs, r, call) =>
    fs.release === undefined ? undefined : fs.release(r.nodeid, r.u64(s.fuse_release_in.at.fh), call),
});

on<void>('FUSE_FSYNC', {
  minBytes: s.fuse_fsync_in.byteLength,
  run: (fs, r, call) =>
    fs.fsync === undefined ? NOSYS : fs.fsync(r.nodeid, r.u64(s.fuse_fsync_in.at.fh), isDataOnly(r), call),
});

function isDataOnly(r: Request): boolean {
  return (r.u32(s.fuse_fsync_in.at.fsync_flags) & FUSE_FSYNC_FDATASYNC) !== 0;
}

on<void>('FUSE_FALLOCATE', {
  minBytes: s.fuse_fallocate_in.byteLength,
  run(fs, r, call) {
    if (fs.fallocate === undefined) return NOSYS;
    const at = s.fuse_fallocate_in.at;
    return fs.fallocate(r.nodeid, r.u64(at.fh), r.u32(at.mode), r.u64(at.offset), r.u64(at.length), call);
  },
});

on<number>('FUSE_LSEEK', {
  minBytes: s.fuse_lseek_in.byteLength,
  run(fs, r, call) {
    if (fs.lseek === undefined) return NOSYS;
    const at = s.fuse_lseek_in.at;
    return fs.lseek(r.nodeid, r.u64(at.fh), r.u64(at.offset), r.u32(at.whence), call);
  },
  put(out, offset, start) {
    writeU64(out, offset, start + s.fuse_lseek_out.at.offset);
    return start + s.fuse_lseek_out.byteLength;
  },
});

// --- directories

on<OpenOut>('FUSE_OPENDIR', {
  minBytes: s.fuse_open_in.byteLength,
  run: (fs, r, call) =>
    fs.opendir === undefined ? NOSYS : fs.opendir(r.nodeid, r.u32(s.fuse_open_in.at.flags), call),
  put,
  undo: (fs, result, call) => unheard(fs.releasedir?.(call.nodeid, result.fh, call)),
});

on<DirentList>('FUSE_READDIR', {
  minBytes: s.fuse_read_in.byteLength,
  run: (fs, r, call) => (fs.readdir === undefined ? NOSYS : list(r, (fill) => fs.readdir!(...fill, call))),
  payload: (result) => result.bytes,
});

on<DirentList>('FUSE_READDIRPLUS', {
  minBytes: s.fuse_read_in.byteLength,
  run: (fs, r, call) =>
    fs.readdirplus === undefined ? NOSYS : list(r, (fill) => fs.readdirplus!(...fill, call)),
  payload: (result) => result.bytes,
  undo(fs, result) {
    for (const nodeid of result.nodeids) fs.forget?.(nodeid, 1);
  },
});

type Fill = [nodeid: number, fh: number, offset: number, list: DirentList];
/** The kernel asks for at most `max_pages`; more is a request gone wrong. */
const MAX_LIST_BYTES = 1 << 24;

function list(r: Request, readdir: (fill: Fill) => Answer<void>): Answer<DirentList> {
  const at = s.fuse_read_in.at;
  const size = r.u32(at.size);
  if (size > MAX_LIST_BYTES) return Errno.of(EINVAL);
  const entries = new DirentList(Buffer.allocUnsafe(size), size);
  const answer = readdir([r.nodeid, r.u64(at.fh), r.u64(at.offset), entries]);
  if (answer instanceof Promise) return answer.then((result) => (result instanceof Errno ? result : entries));
  return answer instanceof Errno ? answer : entries;
}

on<void>('FUSE_RELEASEDIR', {
  minBytes: s.fuse_release_in.byteLength,
  run: (fs, r, call) =>
    fs.releasedir === undefined ? undefined : fs.releasedir(r.nodeid, r.u64(s.fuse_release_in.at.fh), call),
});

on<void>('FUSE_FSYNCDIR', {
  minBytes: s.fuse_fsync_in.byteLength,
  run: (fs, r, call) =>
    fs.fsyncdir === undefined
      ? NOSYS
      : fs.fsyncdir(r.nodeid, r.u64(s.fuse_fsync_in.at.fh), isDataOnly(r), call),
});
