import { bytesFromText } from '../../../linux/index.js';
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
  FUSE_GETATTR_FH,
} from '../constants.js';
import { putAttrOut, putStatfsOut } from '../encode.js';
import type { AttrOut, SetattrIn, StatfsOut } from '../values.js';
import type { Request } from '../request.js';
import * as s from '../structs.js';
import { NOSYS, on } from './operation.js';

const attr = { put: (out: DataView, result: AttrOut, start: number) => putAttrOut(out, result, start) };

export const attributeOperations = [
  on<AttrOut>('FUSE_GETATTR', {
    minBytes: s.fuse_getattr_in.byteLength,
    run(fs, r, call) {
      if (fs.getattr === undefined) return NOSYS;
      const at = s.fuse_getattr_in.at;
      const fh = (r.u32(at.getattr_flags) & FUSE_GETATTR_FH) === 0 ? undefined : r.u64(at.fh);
      return fs.getattr(r.nodeid, fh, call);
    },
    ...attr,
  }),

  on<AttrOut>('FUSE_SETATTR', {
    minBytes: s.fuse_setattr_in.byteLength,
    run: (fs, r, call) => (fs.setattr === undefined ? NOSYS : fs.setattr(r.nodeid, decodeSetattr(r), call)),
    ...attr,
  }),

  on<string>('FUSE_READLINK', {
    minBytes: 0,
    run: (fs, r, call) => (fs.readlink === undefined ? NOSYS : fs.readlink(r.nodeid, call)),
    payload: bytesFromText,
  }),

  on<void>('FUSE_ACCESS', {
    minBytes: s.fuse_access_in.byteLength,
    run: (fs, r, call) =>
      fs.access === undefined ? NOSYS : fs.access(r.nodeid, r.u32(s.fuse_access_in.at.mask), call),
  }),

  on<StatfsOut>('FUSE_STATFS', {
    minBytes: 0,
    run: (fs, r, call) => (fs.statfs === undefined ? NOSYS : fs.statfs(r.nodeid, call)),
    put: putStatfsOut,
  }),
];

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
