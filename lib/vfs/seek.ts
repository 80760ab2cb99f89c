import { FsError } from '../core/index.js';
import { chain } from './awaitable.js';
import type { Awaitable, FileHandle, Op } from './types.js';

/**
 * Where the next data, or the next hole, of `handle` begins: `from` or later. A handle without `seek` is data up to
 * its end, where every file has a hole.
 * @throws FsError ENXIO where `from` is not before the end, or no data follows
 */
export function seekIn(handle: FileHandle, from: number, what: 'data' | 'hole', op: Op): Awaitable<number> {
  if (handle.seek !== undefined) return handle.seek(from, what, op);
  return chain(handle.stat(op), ({ size }) => {
    if (from < 0 || from >= size) throw new FsError('ENXIO', 'That is not before the end of the file.');
    return what === 'data' ? from : size;
  });
}
