import { putEntryOut } from './encode.js';
import type { EntryOut } from './filesystem.js';
import { recordAlign, writeU64 } from './layout.js';
import { fuse_dirent, fuse_direntplus, fuse_entry_out } from './structs.js';

/** The longest that one UTF-16 code unit becomes in UTF-8. */
const UTF8_PER_UNIT = 3;

/** The directory entries of one READDIR or READDIRPLUS answer, written straight into its bytes. */
export class DirentList {
  /** The bytes that are taken so far. */
  length = 0;
  /** The nodeids that were added with their attributes: each counts as a lookup. */
  readonly nodeids: number[] = [];
  readonly #bytes: Buffer;
  readonly #size: number;

  /** `size` is what the kernel asked for; `bytes` may be longer. */
  constructor(bytes: Buffer, size: number) {
    this.#bytes = bytes;
    this.#size = size;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  /**
   * Adds one entry, `type` as in dirent(5) (DT_DIR 4, DT_REG 8, DT_LNK 10). `offset` is where a later call
   * goes on after this entry: never 0.
   * @returns false when it no longer fits: stop, and do not count it.
   */
  add(name: string, ino: bigint, type: number, offset: number): boolean {
    return this.#add(name, ino, type, offset, this.length);
  }

  /** `add`, with the entry itself; null where the kernel shall look it up (as it must for `.` and `..`). */
  addPlus(name: string, ino: bigint, type: number, offset: number, entry: EntryOut | null): boolean {
    const start = this.length;
    if (!this.#add(name, ino, type, offset, start + fuse_direntplus.at.dirent)) return false;
    if (entry === null) this.#bytes.fill(0, start, start + fuse_entry_out.byteLength);
    else {
      putEntryOut(this.#bytes, entry, start);
      this.nodeids.push(entry.nodeid);
    }
    return true;
  }

  #add(name: string, ino: bigint, type: number, offset: number, at: number): boolean {
    const nameAt = at + fuse_dirent.byteLength;
    if (recordAlign(nameAt + name.length * UTF8_PER_UNIT) > this.#size) {
      if (recordAlign(nameAt + Buffer.byteLength(name)) > this.#size) return false;
    }
    const namelen = this.#bytes.write(name, nameAt);
    this.#bytes.writeBigUInt64LE(ino, at + fuse_dirent.at.ino);
    writeU64(this.#bytes, offset, at + fuse_dirent.at.off);
    this.#bytes.writeUInt32LE(namelen, at + fuse_dirent.at.namelen);
    this.#bytes.writeUInt32LE(type, at + fuse_dirent.at.type);
    const end = nameAt + namelen;
    this.length = recordAlign(end);
    if (this.length > end) this.#bytes.fill(0, end, this.length);
    return true;
  }
}
