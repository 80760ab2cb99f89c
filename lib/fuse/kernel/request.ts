import { textFromBytes } from '../../linux/index.js';
import { EINVAL, Errno } from './errno.js';
import { readU64, viewOf } from './layout.js';
import { fuse_in_header } from './structs.js';

/**
 * The request that is being decoded: a window on the reader's buffer. One object serves them all; nothing
 * may keep it, or its bytes, beyond the dispatch.
 */
export class Request {
  bytes: Buffer = Buffer.alloc(0);
  #view = viewOf(this.bytes);
  /** Where the body starts and ends. */
  start = 0;
  end = 0;
  opcode = 0;
  unique = 0;
  nodeid = 0;
  uid = 0;
  gid = 0;
  pid = 0;

  /** @returns false when `length` bytes are no whole request. */
  load(bytes: Buffer, length: number): boolean {
    const at = fuse_in_header.at;
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#view = viewOf(bytes);
    }
    const view = this.#view;
    if (length < fuse_in_header.byteLength || view.getUint32(at.len, true) !== length) return false;
    this.start = fuse_in_header.byteLength;
    this.opcode = view.getUint32(at.opcode, true);
    this.unique = readU64(view, at.unique);
    this.nodeid = readU64(view, at.nodeid);
    this.uid = view.getUint32(at.uid, true);
    this.gid = view.getUint32(at.gid, true);
    this.pid = view.getUint32(at.pid, true);
    // Extensions (7.38) follow the body; none is agreed, and what is not known is left out.
    this.end = length - view.getUint16(at.total_extlen, true) * 8;
    return this.end >= this.start;
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.start + offset, true);
  }

  u64(offset: number): number {
    return readU64(this.#view, this.start + offset);
  }

  /** All 64 bits. */
  bigU64(offset: number): bigint {
    return this.#view.getBigUint64(this.start + offset, true);
  }

  i64(offset: number): bigint {
    return this.#view.getBigInt64(this.start + offset, true);
  }

  /** The NUL-terminated string at `offset`. @throws Errno EINVAL without an end. */
  text(offset: number): string {
    return textFromBytes(this.bytes, this.start + offset, this.#nul(offset));
  }

  /** Where the string after the one at `offset` starts. */
  after(offset: number): number {
    return this.#nul(offset) + 1 - this.start;
  }

  /** A copy of `length` bytes at `offset`, the handler's own. @throws Errno EINVAL when fewer came. */
  copy(offset: number, length: number): Buffer {
    return Buffer.from(this.lend(offset, length));
  }

  /** `length` bytes at `offset`, for as long as the dispatch lasts. @throws Errno EINVAL when fewer came. */
  lend(offset: number, length: number): Buffer {
    const from = this.start + offset;
    if (from + length > this.end) throw Errno.of(EINVAL);
    return this.bytes.subarray(from, from + length);
  }

  #nul(offset: number): number {
    const at = this.bytes.indexOf(0, this.start + offset);
    if (at === -1 || at >= this.end) throw Errno.of(EINVAL);
    return at;
  }
}
