import type { Call } from '../call.js';
import { EPERM, Errno } from '../errno.js';
import type { Filesystem } from '../filesystem.js';
import type { Answer, EntryOut } from '../values.js';
import type { Request } from '../request.js';
import * as s from '../structs.js';
import { NOSYS, entry, maskedMode, on } from './operation.js';

export const nameOperations = [
  on<EntryOut>('FUSE_LOOKUP', {
    minBytes: 1,
    run: (fs, r, call) => (fs.lookup === undefined ? NOSYS : fs.lookup(r.nodeid, r.text(0), call)),
    ...entry,
  }),

  on<EntryOut>('FUSE_SYMLINK', {
    minBytes: 2,
    run: (fs, r, call) =>
      fs.symlink === undefined ? NOSYS : fs.symlink(r.nodeid, r.text(0), r.text(r.after(0)), call),
    ...entry,
  }),

  on<EntryOut>('FUSE_MKNOD', {
    minBytes: s.fuse_mknod_in.byteLength + 1,
    run(fs, r, call) {
      if (fs.mknod === undefined) return Errno.of(EPERM);
      const at = s.fuse_mknod_in.at;
      const mode = maskedMode(r.u32(at.mode), r.u32(at.umask), call);
      return fs.mknod(r.nodeid, r.text(s.fuse_mknod_in.byteLength), mode, r.u32(at.rdev), call);
    },
    ...entry,
  }),

  on<EntryOut>('FUSE_MKDIR', {
    minBytes: s.fuse_mkdir_in.byteLength + 1,
    run(fs, r, call) {
      if (fs.mkdir === undefined) return NOSYS;
      const at = s.fuse_mkdir_in.at;
      const mode = maskedMode(r.u32(at.mode), r.u32(at.umask), call);
      return fs.mkdir(r.nodeid, r.text(s.fuse_mkdir_in.byteLength), mode, call);
    },
    ...entry,
  }),

  on<EntryOut>('FUSE_LINK', {
    minBytes: s.fuse_link_in.byteLength + 1,
    run(fs, r, call) {
      if (fs.link === undefined) return NOSYS;
      return fs.link(r.u64(s.fuse_link_in.at.oldnodeid), r.nodeid, r.text(s.fuse_link_in.byteLength), call);
    },
    ...entry,
  }),

  on<void>('FUSE_UNLINK', {
    minBytes: 1,
    run: (fs, r, call) => (fs.unlink === undefined ? NOSYS : fs.unlink(r.nodeid, r.text(0), call)),
  }),

  on<void>('FUSE_RMDIR', {
    minBytes: 1,
    run: (fs, r, call) => (fs.rmdir === undefined ? NOSYS : fs.rmdir(r.nodeid, r.text(0), call)),
  }),

  on<void>('FUSE_RENAME', {
    minBytes: s.fuse_rename_in.byteLength + 2,
    run: (fs, r, call) =>
      rename(fs, r, r.u64(s.fuse_rename_in.at.newdir), 0, s.fuse_rename_in.byteLength, call),
  }),

  on<void>('FUSE_RENAME2', {
    minBytes: s.fuse_rename2_in.byteLength + 2,
    run(fs, r, call) {
      const at = s.fuse_rename2_in.at;
      return rename(fs, r, r.u64(at.newdir), r.u32(at.flags), s.fuse_rename2_in.byteLength, call);
    },
  }),
];

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
