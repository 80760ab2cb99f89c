import { ERRNO } from '../../linux/index.js';
import type { NativeHandlers } from './native-handlers.js';
import type { NativeFuse } from './native-library.js';

/**
 * Mends what fuse-native 2.2.6 gets wrong between its native side and its handlers: `fgetattr` loses the
 * descriptor, xattrs that are larger than the caller's space overrun it, `utimens` passes atime twice.
 */
export function repairFuse(fuse: NativeFuse, handlers: NativeHandlers): void {
  const getattr = fuse._op_fgetattr.bind(fuse);
  fuse._op_fgetattr = (signal, path, fd) => {
    // Its own conversion of the stat is kept, by lending it a handler for this one call.
    const lent = Object.create(fuse, {
      ops: {
        value: {
          fgetattr: true,
          getattr: (name: string, reply: never) => handlers.fgetattr(name, fd, reply),
        },
      },
    }) as NativeFuse;
    getattr.call(lent, signal, path, fd);
  };

  fuse._op_getxattr = (signal, path, name, space) => {
    handlers.getxattr(path, name, (errno, value) => {
      if (errno !== 0) return signal(errno, space.buffer);
      const bytes = value as Uint8Array;
      if (space.length > 0) {
        if (bytes.byteLength > space.length) return signal(-ERRNO.ERANGE, space.buffer);
        space.set(bytes);
      }
      signal(bytes.byteLength, space.buffer);
    });
  };

  fuse._op_listxattr = (signal, path, space) => {
    handlers.listxattr(path, (errno, value) => {
      if (errno !== 0) return signal(errno, space.buffer);
      const list = Buffer.from((value as readonly string[]).map((name) => `${name}\0`).join(''));
      if (space.length > 0) {
        if (list.length > space.length) return signal(-ERRNO.ERANGE, space.buffer);
        space.set(list);
      }
      signal(list.length, space.buffer);
    });
  };

  repairUtimens(fuse, handlers);
}

const OP_UTIMENS = 12;
/** Where `fuse_thread_locals_t` of fuse-native.c keeps the two times, on 64-bit Linux. */
const ATIME_AT = 104;
const MTIME_AT = 112;

/** Reads the mtime from the request's own record; only where the atime found there is the one passed. */
function repairUtimens(fuse: NativeFuse, handlers: NativeHandlers): void {
  if (process.platform !== 'linux') return;
  const original = fuse._handlers[OP_UTIMENS];
  if (original === undefined) return;
  let mtimeMs: number | undefined;
  const utimens = handlers.utimens.bind(handlers);
  handlers.utimens = (path, atime, passed, reply) => utimens(path, atime, mtimeMs ?? passed, reply);
  fuse._handlers[OP_UTIMENS] = (record, operation, ...args) => {
    const atime = Number(args[1]) + Number(args[2]) * 2 ** 32;
    mtimeMs =
      record.length >= MTIME_AT + 8 && Number(record.readBigUInt64LE(ATIME_AT)) === atime
        ? Number(record.readBigUInt64LE(MTIME_AT))
        : undefined;
    original(record, operation, ...args);
  };
}
