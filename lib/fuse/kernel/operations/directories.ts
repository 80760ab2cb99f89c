import { DirentList } from '../dirents.js';
import type { Call } from '../call.js';
import { EINVAL, Errno } from '../errno.js';
import type { Filesystem } from '../filesystem.js';
import type { Answer, OpenOut } from '../values.js';
import type { Request } from '../request.js';
import * as s from '../structs.js';
import { NOSYS, isDataOnly, on, opened, unheard } from './operation.js';

export const directoryOperations = [
  on<OpenOut>('FUSE_OPENDIR', {
    minBytes: s.fuse_open_in.byteLength,
    run: (fs, r, call) =>
      fs.opendir === undefined ? NOSYS : fs.opendir(r.nodeid, r.u32(s.fuse_open_in.at.flags), call),
    ...opened,
    undo: (fs, result, call) => unheard(fs.releasedir?.(call.nodeid, result.fh, call)),
  }),

  on<DirentList>('FUSE_READDIR', {
    minBytes: s.fuse_read_in.byteLength,
    run: (fs, r, call) => list(fs, 'readdir', r, call),
    payload: (result) => result.bytes,
  }),

  on<DirentList>('FUSE_READDIRPLUS', {
    minBytes: s.fuse_read_in.byteLength,
    run: (fs, r, call) => list(fs, 'readdirplus', r, call),
    payload: (result) => result.bytes,
    undo(fs, result) {
      for (const nodeid of result.nodeids) fs.forget?.(nodeid, 1);
    },
  }),

  on<void>('FUSE_RELEASEDIR', {
    minBytes: s.fuse_release_in.byteLength,
    run: (fs, r, call) =>
      fs.releasedir === undefined ? undefined : fs.releasedir(r.nodeid, r.u64(s.fuse_release_in.at.fh), call),
  }),

  on<void>('FUSE_FSYNCDIR', {
    minBytes: s.fuse_fsync_in.byteLength,
    run: (fs, r, call) =>
      fs.fsyncdir === undefined
        ? NOSYS
        : fs.fsyncdir(r.nodeid, r.u64(s.fuse_fsync_in.at.fh), isDataOnly(r), call),
  }),
];

/** The kernel asks for at most `max_pages`; more is a request gone wrong. */
const MAX_LIST_BYTES = 1 << 24;

function list(
  fs: Filesystem,
  readdir: 'readdir' | 'readdirplus',
  r: Request,
  call: Call,
): Answer<DirentList> {
  if (fs[readdir] === undefined) return NOSYS;
  const at = s.fuse_read_in.at;
  const size = r.u32(at.size);
  if (size > MAX_LIST_BYTES) return Errno.of(EINVAL);
  const entries = new DirentList(Buffer.allocUnsafe(size), size);
  const answer = fs[readdir](r.nodeid, r.u64(at.fh), r.u64(at.offset), entries, call);
  if (answer instanceof Promise) return answer.then((result) => (result instanceof Errno ? result : entries));
  return answer instanceof Errno ? answer : entries;
}
