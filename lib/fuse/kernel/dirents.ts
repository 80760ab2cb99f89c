import { byteLengthOfText, bytesFromText, isRawText } from '../../linux/index.js';
import { putEntryOut } from './encode.js';
import type { EntryOut } from './values.js';
import { recordAlign, viewOf, writeU64 } from './layout.js';
import { fuse_dirent, fuse_direntplus, fuse_entry_out } from './structs.js';

/** The longest that one UTF-16 code unit becomes in UTF-8. */
const UTF8_PER_UNIT = 3;
const SHORT_NAME = 20;
const ASCII = 0x7f;

/** The directory entries of one READDIR or READDIRPLUS answer, written straight into its bytes. */
export class DirentList {
  /** The bytes that are taken so far. */
  length = 0;
  /** The nodeids that were added with their attributes: each counts as a lookup. */
  readonly nodeids: number[] = [];
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #size: number;

  /** `size` is what the kernel asked for; `bytes` may be longer. */
  constructor(bytes: Buffer, size: number) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
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
      putEntryOut(this.#view, entry, start);
      this.nodeids.push(entry.nodeid);
    }
    return true;
  }

  #add(name: string, ino: bigint, type: number, offset: number, at: number): boolean {
    const nameAt = at + fuse_dirent.byteLength;
    if (recordAlign(nameAt + name.length * UTF8_PER_UNIT) > this.#size) {
      if (recordAlign(nameAt + byteLengthOfText(name)) > this.#size) return false;
    }
    const namelen = this.#putName(name, nameAt);
    this.#view.setBigUint64(at + fuse_dirent.at.ino, ino, true);
    writeU64(this.#view, offset, at + fuse_dirent.at.off);
    this.#view.setUint32(at + fuse_dirent.at.namelen, namelen, true);
    this.#view.setUint32(at + fuse_dirent.at.type, type, true);
    const end = nameAt + namelen;
    this.length = recordAlign(end);
    for (let i = end; i < this.length; i++) this.#bytes[i] = 0;
    return true;
  }

  /** @returns its length in bytes. Short plain names are written here: a call into Node costs more than they do. */
  #putName(name: string, at: number): number {
    if (name.length > SHORT_NAME) return this.#putLongName(name, at);
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      if (code > ASCII) return this.#putLongName(name, at);
      this.#bytes[at + i] = code;
    }
    return name.length;
  }

  #putLongName(name: string, at: number): number {
    return isRawText(name) ? bytesFromText(name).copy(this.#bytes, at) : this.#bytes.write(name, at);
  }
}
