import { closeSync, openSync, readSync } from 'node:fs';
import { FsError } from '../../core/index.js';

/** One file of a log. */
export interface Segment {
  readonly number: number;
  readonly path: string;
  size: number;
  /** How much of its bodies somebody still refers to. */
  live: number;
}

/** A run of bytes that a record's body holds. */
export interface Extent {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/** Where extents are read from. */
export interface ByteStore {
  read(extent: Extent, at: number, size: number): Buffer;
}

/** `size` bytes of an extent from `at` on, by its file's name. */
export function readExtent(extent: Extent, at: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(size, extent.length - at)));
  if (bytes.length === 0) return bytes;
  const fd = openSync(extent.segment.path, 'r');
  try {
    readFully(fd, bytes, extent.offset + at);
  } finally {
    closeSync(fd);
  }
  return bytes;
}

export function readFully(fd: number, into: Buffer, from: number): void {
  for (let done = 0; done < into.length;) {
    const count = readSync(fd, into, done, into.length - done, from + done);
    if (count === 0)
      throw new FsError('EIO', 'A job on disk is shorter than it was.', {
        hint: 'Has something changed the state directory?',
      });
    done += count;
  }
}
