import { bytesFromText } from '../../../linux/index.js';
import { ERANGE, Errno } from '../errno.js';
import type { Answer } from '../values.js';
import * as s from '../structs.js';
import { NOSYS, on } from './operation.js';

/** Asked with size 0 the answer is a size; else the bytes, or ERANGE where they do not fit. */
type XattrOut = { readonly size: number } | { readonly bytes: Uint8Array };

const xattrAnswer = {
  payload(result: XattrOut): Uint8Array {
    if ('bytes' in result) return result.bytes;
    const out = Buffer.alloc(s.fuse_getxattr_out.byteLength);
    out.writeUInt32LE(result.size, s.fuse_getxattr_out.at.size);
    return out;
  },
};

export const xattrOperations = [
  on<void>('FUSE_SETXATTR', {
    minBytes: s.FUSE_COMPAT_SETXATTR_IN_SIZE + 1,
    run(fs, r, call) {
      if (fs.setxattr === undefined) return NOSYS;
      const at = s.fuse_setxattr_in.at;
      const nameAt = s.FUSE_COMPAT_SETXATTR_IN_SIZE;
      const value = r.copy(r.after(nameAt), r.u32(at.size));
      return fs.setxattr(r.nodeid, r.text(nameAt), value, r.u32(at.flags), call);
    },
  }),

  on<XattrOut>('FUSE_GETXATTR', {
    minBytes: s.fuse_getxattr_in.byteLength + 1,
    run(fs, r, call) {
      if (fs.getxattr === undefined) return NOSYS;
      const answer = fs.getxattr(r.nodeid, r.text(s.fuse_getxattr_in.byteLength), call);
      return xattr(answer, r.u32(s.fuse_getxattr_in.at.size), (value) => value);
    },
    ...xattrAnswer,
  }),

  on<XattrOut>('FUSE_LISTXATTR', {
    minBytes: s.fuse_getxattr_in.byteLength,
    run(fs, r, call) {
      if (fs.listxattr === undefined) return NOSYS;
      const listed = (names: readonly string[]): Buffer =>
        bytesFromText(names.map((name) => `${name}\0`).join(''));
      return xattr(fs.listxattr(r.nodeid, call), r.u32(s.fuse_getxattr_in.at.size), listed);
    },
    ...xattrAnswer,
  }),

  on<void>('FUSE_REMOVEXATTR', {
    minBytes: 1,
    run: (fs, r, call) => (fs.removexattr === undefined ? NOSYS : fs.removexattr(r.nodeid, r.text(0), call)),
  }),
];

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
