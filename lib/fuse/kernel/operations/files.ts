import { putEntryOut, putOpenOut } from '../encode.js';
import type { Call } from '../call.js';
import type { Filesystem } from '../filesystem.js';
import type { CreateOut, OpenOut } from '../values.js';
import { writeU64 } from '../layout.js';
import * as s from '../structs.js';
import { NOSYS, isDataOnly, maskedMode, on, opened, unheard, type Operation } from './operation.js';

const written = {
  put(out: DataView, size: number, start: number): number {
    out.setUint32(start + s.fuse_write_out.at.size, size, true);
    out.setUint32(start + s.fuse_write_out.at.padding, 0, true);
    return start + s.fuse_write_out.byteLength;
  },
};

const creates = (method: 'create' | 'tmpfile'): Operation<CreateOut> => ({
  minBytes: s.fuse_create_in.byteLength + 1,
  run(fs, r, call) {
    if (fs[method] === undefined) return NOSYS;
    const at = s.fuse_create_in.at;
    const mode = maskedMode(r.u32(at.mode), r.u32(at.umask), call);
    return fs[method](r.nodeid, r.text(s.fuse_create_in.byteLength), r.u32(at.flags), mode, call);
  },
  put: (out: DataView, result: CreateOut, start: number) =>
    putOpenOut(out, result.open, putEntryOut(out, result.entry, start)),
  undo(fs: Filesystem, result: CreateOut, call: Call) {
    unheard(fs.release?.(result.entry.nodeid, result.open.fh, call));
    fs.forget?.(result.entry.nodeid, 1);
  },
});

export const fileOperations = [
  on<OpenOut>('FUSE_OPEN', {
    minBytes: s.fuse_open_in.byteLength,
    run: (fs, r, call) =>
      fs.open === undefined ? NOSYS : fs.open(r.nodeid, r.u32(s.fuse_open_in.at.flags), call),
    ...opened,
    undo: (fs, result, call) => unheard(fs.release?.(call.nodeid, result.fh, call)),
  }),

  on<CreateOut>('FUSE_CREATE', creates('create')),
  on<CreateOut>('FUSE_TMPFILE', creates('tmpfile')),

  on<Uint8Array>('FUSE_READ', {
    minBytes: s.fuse_read_in.byteLength,
    run(fs, r, call) {
      if (fs.read === undefined) return NOSYS;
      const at = s.fuse_read_in.at;
      return fs.read(r.nodeid, r.u64(at.fh), r.u64(at.offset), r.u32(at.size), call);
    },
    payload: (bytes) => bytes,
  }),

  on<number>('FUSE_WRITE', {
    minBytes: s.fuse_write_in.byteLength,
    run(fs, r, call) {
      if (fs.write === undefined) return NOSYS;
      const at = s.fuse_write_in.at;
      const data = r.lend(s.fuse_write_in.byteLength, r.u32(at.size));
      return fs.write(r.nodeid, r.u64(at.fh), r.u64(at.offset), data, call);
    },
    ...written,
  }),

  on<void>('FUSE_FLUSH', {
    minBytes: s.fuse_flush_in.byteLength,
    run(fs, r, call) {
      if (fs.flush === undefined) return NOSYS;
      const at = s.fuse_flush_in.at;
      return fs.flush(r.nodeid, r.u64(at.fh), r.bigU64(at.lock_owner), call);
    },
  }),

  on<void>('FUSE_RELEASE', {
    minBytes: s.fuse_release_in.byteLength,
    run: (fs, r, call) =>
      fs.release === undefined ? undefined : fs.release(r.nodeid, r.u64(s.fuse_release_in.at.fh), call),
  }),

  on<void>('FUSE_FSYNC', {
    minBytes: s.fuse_fsync_in.byteLength,
    run: (fs, r, call) =>
      fs.fsync === undefined ? NOSYS : fs.fsync(r.nodeid, r.u64(s.fuse_fsync_in.at.fh), isDataOnly(r), call),
  }),

  on<void>('FUSE_FALLOCATE', {
    minBytes: s.fuse_fallocate_in.byteLength,
    run(fs, r, call) {
      if (fs.fallocate === undefined) return NOSYS;
      const at = s.fuse_fallocate_in.at;
      return fs.fallocate(r.nodeid, r.u64(at.fh), r.u32(at.mode), r.u64(at.offset), r.u64(at.length), call);
    },
  }),

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
  }),
];
