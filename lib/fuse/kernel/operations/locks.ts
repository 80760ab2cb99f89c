import type { Call } from '../call.js';
import { FUSE_LK_FLOCK } from '../constants.js';
import { putLock } from '../encode.js';
import { EINVAL, Errno } from '../errno.js';
import type { Filesystem } from '../filesystem.js';
import type { Answer, Lock, LockIn } from '../values.js';
import type { Request } from '../request.js';
import { fuse_file_lock, fuse_lk_in } from '../structs.js';
import { NOSYS, on } from './operation.js';

/** F_RDLCK, F_WRLCK, F_UNLCK. */
const KINDS = ['shared', 'exclusive', 'none'] as const;

/** @throws Errno EINVAL where it is no lock. */
function lockIn(r: Request): LockIn {
  const at = fuse_lk_in.at;
  const lk = fuse_file_lock.at;
  const kind = KINDS[r.u32(at.lk + lk.type)];
  const start = r.bigU64(at.lk + lk.start);
  const end = r.bigU64(at.lk + lk.end);
  if (kind === undefined || end < start) throw Errno.of(EINVAL);
  return {
    kind,
    start,
    end,
    pid: r.u32(at.lk + lk.pid),
    flock: (r.u32(at.lk_flags) & FUSE_LK_FLOCK) !== 0,
    owner: r.bigU64(at.owner),
  };
}

function setlk(fs: Filesystem, r: Request, waits: boolean, call: Call): Answer<void> {
  if (fs.setlk === undefined) return NOSYS;
  return fs.setlk(r.nodeid, r.u64(fuse_lk_in.at.fh), lockIn(r), waits, call);
}

export const lockOperations = [
  on<Lock | undefined>('FUSE_GETLK', {
    minBytes: fuse_lk_in.byteLength,
    run: (fs, r, call) =>
      fs.getlk === undefined ? NOSYS : fs.getlk(r.nodeid, r.u64(fuse_lk_in.at.fh), lockIn(r), call),
    put: (out, lock, start) => putLock(out, lock, start),
  }),

  on<void>('FUSE_SETLK', {
    minBytes: fuse_lk_in.byteLength,
    run: (fs, r, call) => setlk(fs, r, false, call),
  }),

  on<void>('FUSE_SETLKW', {
    minBytes: fuse_lk_in.byteLength,
    restarts: true,
    run: (fs, r, call) => setlk(fs, r, true, call),
  }),
];
